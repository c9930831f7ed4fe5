// Attention without S in memory, in f32 on the ordinary cores.
//
//   fused-2pass  a block holds 32 rows of Q. First pass over K: the row's maximum and sum, online (Milakov and
//                Gimelshein, arXiv 1805.02867). Second pass over K and V: the weights are final, O adds up. S is computed
//                twice, K read twice.
//   flash1       FlashAttention's order (arXiv 2205.14135, algorithm 1): outer loop over K and V, inner over Q. K and V
//                are read once, but O and the statistics go to memory and back for every tile of keys.
//   flash2       FlashAttention-2's order (arXiv 2307.08691): outer over Q, so O and the statistics stay in registers
//                until they are final.
//   flash-decode one query, keys split over blocks; a second kernel merges the parts by their log-sum-exp.
//
// Four neighbouring threads share a row. A thread computes every fourth score of its row and holds every fourth column
// of its output.
#include "attention.cuh"

namespace {

constexpr int rows = 32, keys = 32, lanesPerRow = 4, threads = rows * lanesPerRow;

/// A tile's rows stand headDim + 1 apart, so that equal columns of neighbouring rows lie in different banks.
template <int D>
struct Tile {
    float at[rows][D + 1];
};

/// Loads up to 32 rows; what lies outside becomes 0.
template <int D>
__device__ void load(Tile<D>& tile, const float* from, int first, int count, int headDim) {
#pragma unroll 2
    for (int i = threadIdx.x; i < rows * D; i += threads) {
        const int r = i / D, c = i % D;
        tile.at[r][c] = first + r < count && c < headDim ? from[(long long)(first + r) * headDim + c] : 0;
    }
}

/// Scores of this thread's row against its 8 of the tile's 32 keys, in units of log2: -inf where masked.
template <int D>
__device__ void scores(const Tile<D>& q, const Tile<D>& k, int row, int part, int firstKey, int visible, float scale, float (&s)[keys / lanesPerRow]) {
#pragma unroll
    for (int j = 0; j < keys / lanesPerRow; ++j)
        s[j] = 0;
#pragma unroll 16
    for (int c = 0; c < D; ++c) {
        const float x = q.at[row][c];
#pragma unroll
        for (int j = 0; j < keys / lanesPerRow; ++j)
            s[j] += x * k.at[j * lanesPerRow + part][c];
    }
#pragma unroll
    for (int j = 0; j < keys / lanesPerRow; ++j)
        s[j] = firstKey + j * lanesPerRow + part < visible ? s[j] * (scale * log2e) : -CUDART_INF_F;
}

/// The running maximum and sum of a row (in units of log2), as the online softmax keeps them.
struct Statistics {
    float most = -CUDART_INF_F, sum = 0;

    /// Takes in a tile's scores and turns them into weights. Returns what earlier sums have to be scaled by.
    __device__ float take(float (&s)[keys / lanesPerRow]) {
        float tileMost = s[0];
#pragma unroll
        for (int j = 1; j < keys / lanesPerRow; ++j)
            tileMost = fmaxf(tileMost, s[j]);
        const float next = fmaxf(most, groupMax<lanesPerRow>(tileMost));
        const float base = next == -CUDART_INF_F ? 0 : next; // a row that has seen no key yet
        const float rescale = fastExp2(most - base);
        float tileSum = 0;
#pragma unroll
        for (int j = 0; j < keys / lanesPerRow; ++j) {
            s[j] = fastExp2(s[j] - base);
            tileSum += s[j];
        }
        sum = sum * rescale + groupSum<lanesPerRow>(tileSum);
        most = next;
        return rescale;
    }
    __device__ float logSumExp() const { return sum > 0 ? most * ln2 + logf(sum) : -CUDART_INF_F; }
    __device__ float inverse() const { return sum > 0 ? 1 / sum : 0; }
};

/// O[row][4i + part] += Σ_j weight[row][j] · V[j][4i + part]
template <int D>
__device__ void accumulate(const float (&weight)[rows][keys + 1], const Tile<D>& v, int row, int part, float (&o)[D / lanesPerRow]) {
#pragma unroll 4
    for (int j = 0; j < keys; ++j) {
        const float w = weight[row][j];
#pragma unroll
        for (int i = 0; i < D / lanesPerRow; ++i)
            o[i] += w * v.at[j][i * lanesPerRow + part];
    }
}

template <int D>
struct FlashShared {
    Tile<D> q, k, v;
    float weight[rows][keys + 1];
};

/// Largest number of keys that any row of a tile sees: tiles of keys beyond it need not be read.
template <class T>
__device__ int visibleToTile(const AttentionProblem<T>& p, int firstRow, int tileRows) {
    const int last = firstRow + tileRows - 1;
    return p.visible(last < p.queryLen ? last : p.queryLen - 1);
}

template <int D>
__device__ void fusedTwoPass(const AttentionProblem<float>& p, FlashShared<D>& shared) {
    const int head = blockIdx.y, first = blockIdx.x * rows, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    const int end = visibleToTile(p, first, rows), visible = first + row < p.queryLen ? p.visible(first + row) : 0;
    load(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    Statistics statistics;
    float s[keys / lanesPerRow], o[D / lanesPerRow] = {};
    for (int begin = 0; begin < end; begin += keys) {
        __syncthreads();
        load(shared.k, k, begin, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, begin, visible, p.scale, s);
        statistics.take(s);
    }
    const float base = statistics.sum > 0 ? statistics.most : 0;
    for (int begin = 0; begin < end; begin += keys) {
        __syncthreads();
        load(shared.k, k, begin, p.keyLen, p.headDim);
        load(shared.v, v, begin, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, begin, visible, p.scale, s);
#pragma unroll
        for (int j = 0; j < keys / lanesPerRow; ++j)
            shared.weight[row][j * lanesPerRow + part] = fastExp2(s[j] - base);
        __syncwarp();
        accumulate(shared.weight, shared.v, row, part, o);
    }
    if (first + row >= p.queryLen)
        return;
    float* out = p.o + p.queryHead(head) + (long long)(first + row) * p.headDim;
#pragma unroll
    for (int i = 0; i < D / lanesPerRow; ++i)
        if (i * lanesPerRow + part < p.headDim)
            out[i * lanesPerRow + part] = o[i] * statistics.inverse();
    if (part == 0)
        p.lse[(long long)head * p.queryLen + first + row] = statistics.logSumExp();
}

/// One block a head. `most` and `sum` [heads, queryLen] are the statistics between tiles of keys; O holds the output so
/// far, already divided by the sum so far, as in the paper.
template <int D>
__device__ void flash1(const AttentionProblem<float>& p, float* most, float* sum, FlashShared<D>& shared) {
    const int head = blockIdx.x, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    float* o = p.o + p.queryHead(head);
    for (int begin = 0; begin < p.keyLen; begin += keys) {
        __syncthreads();
        load(shared.k, k, begin, p.keyLen, p.headDim);
        load(shared.v, v, begin, p.keyLen, p.headDim);
        for (int first = 0; first < p.queryLen; first += rows) {
            if (begin > 0 && visibleToTile(p, first, rows) <= begin)
                continue; // the mask hides all of this tile (the first also sets the output)
            __syncthreads();
            load(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
            __syncthreads();
            const bool inside = first + row < p.queryLen;
            const long long at = (long long)head * p.queryLen + first + row;
            Statistics statistics;
            float out[D / lanesPerRow] = {};
            if (begin > 0 && inside) {
                statistics.most = most[at];
                statistics.sum = sum[at];
#pragma unroll
                for (int i = 0; i < D / lanesPerRow; ++i)
                    if (i * lanesPerRow + part < p.headDim)
                        out[i] = o[(long long)(first + row) * p.headDim + i * lanesPerRow + part] * statistics.sum;
            }
            float s[keys / lanesPerRow];
            scores(shared.q, shared.k, row, part, begin, inside ? p.visible(first + row) : 0, p.scale, s);
            const float rescale = statistics.take(s);
#pragma unroll
            for (int j = 0; j < keys / lanesPerRow; ++j)
                shared.weight[row][j * lanesPerRow + part] = s[j];
            __syncwarp();
#pragma unroll
            for (int i = 0; i < D / lanesPerRow; ++i)
                out[i] *= rescale;
            accumulate(shared.weight, shared.v, row, part, out);
            if (inside) {
#pragma unroll
                for (int i = 0; i < D / lanesPerRow; ++i)
                    if (i * lanesPerRow + part < p.headDim)
                        o[(long long)(first + row) * p.headDim + i * lanesPerRow + part] = out[i] * statistics.inverse();
                if (part == 0) {
                    most[at] = statistics.most;
                    sum[at] = statistics.sum;
                    p.lse[at] = statistics.logSumExp();
                }
            }
            __syncwarp();
        }
    }
}

template <int D>
__device__ void flash2(const AttentionProblem<float>& p, FlashShared<D>& shared) {
    const int head = blockIdx.y, first = blockIdx.x * rows, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    const int end = visibleToTile(p, first, rows), visible = first + row < p.queryLen ? p.visible(first + row) : 0;
    load(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    Statistics statistics;
    float s[keys / lanesPerRow], o[D / lanesPerRow] = {};
    for (int begin = 0; begin < end; begin += keys) {
        __syncthreads();
        load(shared.k, k, begin, p.keyLen, p.headDim);
        load(shared.v, v, begin, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, begin, visible, p.scale, s);
        const float rescale = statistics.take(s);
#pragma unroll
        for (int j = 0; j < keys / lanesPerRow; ++j)
            shared.weight[row][j * lanesPerRow + part] = s[j];
        __syncwarp(); // a row's weights are its own four threads'
#pragma unroll
        for (int i = 0; i < D / lanesPerRow; ++i)
            o[i] *= rescale;
        accumulate(shared.weight, shared.v, row, part, o);
    }
    if (first + row >= p.queryLen)
        return;
    float* out = p.o + p.queryHead(head) + (long long)(first + row) * p.headDim;
#pragma unroll
    for (int i = 0; i < D / lanesPerRow; ++i)
        if (i * lanesPerRow + part < p.headDim)
            out[i * lanesPerRow + part] = o[i] * statistics.inverse();
    if (part == 0)
        p.lse[(long long)head * p.queryLen + first + row] = statistics.logSumExp();
}

extern __shared__ float dynamicShared[];

} // namespace

// One kernel a padded head dimension: 32, 64, 128, 256. Dynamic shared memory: sizeof(FlashShared<D>).
#define FLASH_KERNELS(D)                                                                                               \
    extern "C" __global__ void __launch_bounds__(threads) fused_2pass_d##D(AttentionProblem<float> p) {                \
        fusedTwoPass<D>(p, *reinterpret_cast<FlashShared<D>*>(dynamicShared));                                         \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(threads) flash1_d##D(AttentionProblem<float> p, float* m, float* l) { \
        flash1<D>(p, m, l, *reinterpret_cast<FlashShared<D>*>(dynamicShared));                                         \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(threads) flash2_d##D(AttentionProblem<float> p) {                     \
        flash2<D>(p, *reinterpret_cast<FlashShared<D>*>(dynamicShared));                                               \
    }
FLASH_KERNELS(32)
FLASH_KERNELS(64)
FLASH_KERNELS(128)
FLASH_KERNELS(256)

// ---- flash-decode

/// Block (split, row of all heads): the part of the output from keys split · perSplit on, unnormalised, with its
/// statistics. A warp takes every fourth key; lanes share the head dimension. partO [rows, splits, headDim].
extern "C" __global__ void __launch_bounds__(128) flash_decode_split(AttentionProblem<float> p, float* partO, float* partMost, float* partSum, int perSplit) {
    constexpr int warps = 4, columns = 8; // headDim <= 256
    __shared__ float most[warps], sum[warps], out[warps][256];
    const int split = blockIdx.x, row = blockIdx.y % p.queryLen, head = blockIdx.y / p.queryLen;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const float* q = p.q + p.queryHead(head) + (long long)row * p.headDim;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    const int begin = split * perSplit, visible = p.visible(row), end = begin + perSplit < visible ? begin + perSplit : visible;
    float x[columns], o[columns] = {}, m = -CUDART_INF_F, l = 0;
#pragma unroll
    for (int c = 0; c < columns; ++c)
        x[c] = c * 32 + lane < p.headDim ? q[c * 32 + lane] * (p.scale * log2e) : 0;
    for (int j = begin + warp; j < end; j += warps) {
        float dot = 0;
#pragma unroll
        for (int c = 0; c < columns; ++c)
            if (c * 32 + lane < p.headDim)
                dot += x[c] * k[(long long)j * p.headDim + c * 32 + lane];
        const float s = groupSum<32>(dot), next = fmaxf(m, s), rescale = fastExp2(m - next), weight = fastExp2(s - next);
        l = l * rescale + weight;
        m = next;
#pragma unroll
        for (int c = 0; c < columns; ++c)
            if (c * 32 + lane < p.headDim)
                o[c] = o[c] * rescale + weight * v[(long long)j * p.headDim + c * 32 + lane];
    }
    if (lane == 0) {
        most[warp] = m;
        sum[warp] = l;
    }
#pragma unroll
    for (int c = 0; c < columns; ++c)
        out[warp][c * 32 + lane] = o[c];
    __syncthreads();
    float all = -CUDART_INF_F, total = 0;
    for (int w = 0; w < warps; ++w)
        all = fmaxf(all, most[w]);
    const float base = all == -CUDART_INF_F ? 0 : all;
    for (int w = 0; w < warps; ++w)
        total += sum[w] * fastExp2(most[w] - base);
    const long long at = (long long)blockIdx.y * gridDim.x + split;
    for (int c = threadIdx.x; c < p.headDim; c += blockDim.x) {
        float merged = 0;
        for (int w = 0; w < warps; ++w)
            merged += out[w][c] * fastExp2(most[w] - base);
        partO[at * p.headDim + c] = merged;
    }
    if (threadIdx.x == 0) {
        partMost[at] = all;
        partSum[at] = total;
    }
}

/// One block a row: merges the splits.
extern "C" __global__ void __launch_bounds__(128) flash_decode_combine(AttentionProblem<float> p, const float* partO, const float* partMost, const float* partSum, int splits) {
    const long long row = blockIdx.x;
    float most = -CUDART_INF_F, sum = 0;
    for (int i = 0; i < splits; ++i)
        most = fmaxf(most, partMost[row * splits + i]);
    const float base = most == -CUDART_INF_F ? 0 : most;
    for (int i = 0; i < splits; ++i)
        sum += partSum[row * splits + i] * fastExp2(partMost[row * splits + i] - base);
    for (int c = threadIdx.x; c < p.headDim; c += blockDim.x) {
        float o = 0;
        for (int i = 0; i < splits; ++i)
            o += partO[(row * splits + i) * p.headDim + c] * fastExp2(partMost[row * splits + i] - base);
        p.o[row * p.headDim + c] = sum > 0 ? o / sum : 0;
    }
    if (threadIdx.x == 0)
        p.lse[row] = sum > 0 ? base * ln2 + logf(sum) : -CUDART_INF_F;
}
