// Flash attention in f32 on the ordinary cores: what attention_flash.cu and attention_tiles.cu have in common.
//
// A block holds a tile of `rows` queries and goes through tiles of `keys` keys. Four neighbouring threads share a row: a
// thread computes every fourth score of its row and holds every fourth column of its output.
#pragma once

#include "attention.cuh"


namespace {

constexpr int lanesPerRow = 4;

/// A tile's rows stand headDim + 1 apart, so that equal columns of neighbouring rows lie in different banks.
template <int D, int rows>
struct Tile {
    float at[rows][D + 1];
};

/// Loads a tile with `threads` threads; what lies outside becomes 0.
template <int threads, int D, int rows>
__device__ void load(Tile<D, rows>& tile, const float* from, int first, int count, int headDim) {
#pragma unroll 2
    for (int i = threadIdx.x; i < rows * D; i += threads) {
        const int r = i / D, c = i % D;
        tile.at[r][c] = first + r < count && c < headDim ? from[(long long)(first + r) * headDim + c] : 0;
    }
}

/// Scores of this thread's row against its quarter of the tile's keys, in units of log2: -inf where masked.
template <int D, int rows, int keys>
__device__ void scores(const Tile<D, rows>& q, const Tile<D, keys>& k, int row, int part, int firstKey, int visible, float scale, float (&s)[keys / lanesPerRow]) {
    constexpr int unrolled = keys <= 32 ? 16 : 4; // as much as registers hold
#pragma unroll
    for (int j = 0; j < keys / lanesPerRow; ++j)
        s[j] = 0;
#pragma unroll unrolled
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
    template <int scores>
    __device__ float take(float (&s)[scores]) {
        float tileMost = s[0];
#pragma unroll
        for (int j = 1; j < scores; ++j)
            tileMost = fmaxf(tileMost, s[j]);
        const float next = fmaxf(most, groupMax<lanesPerRow>(tileMost));
        const float base = baseOf(next);
        const float rescale = fastExp2(most - base);
        float tileSum = 0;
#pragma unroll
        for (int j = 0; j < scores; ++j) {
            s[j] = fastExp2(s[j] - base);
            tileSum += s[j];
        }
        sum = sum * rescale + groupSum<lanesPerRow>(tileSum);
        most = next;
        return rescale;
    }
    __device__ float logSumExp() const { return sum == 0 ? -CUDART_INF_F : most * ln2 + logf(sum); }
    __device__ float normalised(float x) const { return sum == 0 ? 0 : x * (1 / sum); }
};

/// What a kernel tells of itself tile by tile: nothing, or each row's statistics after each tile of keys.
struct NoTrace {
    __device__ void tile(long long, int, const Statistics&, float) const {}
};
struct TileTrace {
    float* at; ///< [heads · queryLen, tiles of keys, 3]: running maximum in natural units, sum, what earlier sums were scaled by
    int tiles; ///< of keys
    __device__ void tile(long long row, int tile, const Statistics& s, float rescale) const {
        float* to = at + (row * tiles + tile) * 3;
        to[0] = s.most * ln2;
        to[1] = s.sum;
        to[2] = rescale;
    }
};

/// O[row][4i + part] += Σ_j weight[row][j] · V[j][4i + part] over the keys that the row sees; all rows see `seenByAll`.
template <int D, int rows, int keys>
__device__ void accumulate(const float (&weight)[rows][keys + 1], const Tile<D, keys>& v, int row, int part, int seen, int seenByAll, float (&o)[D / lanesPerRow]) {
    if (seenByAll < keys) {
#pragma unroll 1
        for (int j = 0; j < keys && j < seen; ++j) {
            const float w = weight[row][j];
#pragma unroll
            for (int i = 0; i < D / lanesPerRow; ++i)
                o[i] += w * v.at[j][i * lanesPerRow + part];
        }
        return;
    }
#pragma unroll 4
    for (int j = 0; j < keys; ++j) {
        const float w = weight[row][j];
#pragma unroll
        for (int i = 0; i < D / lanesPerRow; ++i)
            o[i] += w * v.at[j][i * lanesPerRow + part];
    }
}

template <int D, int rows, int keys>
struct FlashShared {
    Tile<D, rows> q;
    Tile<D, keys> k, v;
    float weight[rows][keys + 1];
};

/// Largest number of keys that any row of a tile sees: tiles of keys beyond it need not be read.
template <class T>
__device__ int visibleToTile(const AttentionProblem<T>& p, int firstRow, int tileRows) {
    const int last = firstRow + tileRows - 1;
    return p.visible(last < p.queryLen ? last : p.queryLen - 1);
}

template <int D, int rows, int keys>
__device__ void fusedTwoPass(const AttentionProblem<float>& p, FlashShared<D, rows, keys>& shared) {
    const int head = blockIdx.y, first = blockIdx.x * rows, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    const int end = visibleToTile(p, first, rows), seenByAll = p.visible(first), visible = first + row < p.queryLen ? p.visible(first + row) : 0;
    load<rows * lanesPerRow>(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    Statistics statistics;
    float s[keys / lanesPerRow], o[D / lanesPerRow] = {};
    for (int begin = 0; begin < end; begin += keys) {
        __syncthreads();
        load<rows * lanesPerRow>(shared.k, k, begin, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, begin, visible, p.scale, s);
        statistics.take(s);
    }
    const float base = baseOf(statistics.most);
    for (int begin = 0; begin < end; begin += keys) {
        __syncthreads();
        load<rows * lanesPerRow>(shared.k, k, begin, p.keyLen, p.headDim);
        load<rows * lanesPerRow>(shared.v, v, begin, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, begin, visible, p.scale, s);
#pragma unroll
        for (int j = 0; j < keys / lanesPerRow; ++j)
            shared.weight[row][j * lanesPerRow + part] = fastExp2(s[j] - base);
        __syncwarp();
        accumulate(shared.weight, shared.v, row, part, visible - begin, seenByAll - begin, o);
    }
    if (first + row >= p.queryLen)
        return;
    float* out = p.o + p.queryHead(head) + (long long)(first + row) * p.headDim;
#pragma unroll
    for (int i = 0; i < D / lanesPerRow; ++i)
        if (i * lanesPerRow + part < p.headDim)
            out[i * lanesPerRow + part] = statistics.normalised(o[i]);
    if (part == 0)
        p.lse[(long long)head * p.queryLen + first + row] = statistics.logSumExp();
}

/// One block a head. `most` and `sum` [heads, queryLen] are the statistics between tiles of keys; O holds the output so
/// far, already divided by the sum so far, as in the paper.
template <int D, int rows, int keys, class Trace = NoTrace>
__device__ void flash1(const AttentionProblem<float>& p, float* most, float* sum, FlashShared<D, rows, keys>& shared, Trace trace = {}) {
    const int head = blockIdx.x, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    float* o = p.o + p.queryHead(head);
    for (int begin = 0; begin < p.keyLen; begin += keys) {
        __syncthreads();
        load<rows * lanesPerRow>(shared.k, k, begin, p.keyLen, p.headDim);
        load<rows * lanesPerRow>(shared.v, v, begin, p.keyLen, p.headDim);
        for (int first = 0; first < p.queryLen; first += rows) {
            if (begin > 0 && visibleToTile(p, first, rows) <= begin)
                continue; // the mask hides all of this tile (the first also sets the output)
            __syncthreads();
            load<rows * lanesPerRow>(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
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
                        out[i] = o[(long long)(first + row) * p.headDim + i * lanesPerRow + part] * statistics.sum; // NaN stays NaN
            }
            float s[keys / lanesPerRow];
            const int visible = inside ? p.visible(first + row) : 0;
            scores(shared.q, shared.k, row, part, begin, visible, p.scale, s);
            const float rescale = statistics.take(s);
            if (inside && part == 0)
                trace.tile(at, begin / keys, statistics, rescale);
#pragma unroll
            for (int j = 0; j < keys / lanesPerRow; ++j)
                shared.weight[row][j * lanesPerRow + part] = s[j];
            __syncwarp();
#pragma unroll
            for (int i = 0; i < D / lanesPerRow; ++i)
                out[i] *= rescale;
            accumulate(shared.weight, shared.v, row, part, visible - begin, p.visible(first) - begin, out);
            // As long as all scores are -inf the sum is 0: then a NaN that a weight of 0 made of a value is kept, for scores
            // to come, but not beyond the row's last tile.
            const bool last = begin + keys >= visible;
            if (inside) {
#pragma unroll
                for (int i = 0; i < D / lanesPerRow; ++i)
                    if (i * lanesPerRow + part < p.headDim)
                        o[(long long)(first + row) * p.headDim + i * lanesPerRow + part] = statistics.sum == 0 && !last ? out[i] : statistics.normalised(out[i]);
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

template <int D, int rows, int keys, class Trace = NoTrace>
__device__ void flash2(const AttentionProblem<float>& p, FlashShared<D, rows, keys>& shared, Trace trace = {}) {
    const int head = blockIdx.y, first = blockIdx.x * rows, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    const int end = visibleToTile(p, first, rows), seenByAll = p.visible(first), visible = first + row < p.queryLen ? p.visible(first + row) : 0;
    load<rows * lanesPerRow>(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    Statistics statistics;
    float s[keys / lanesPerRow], o[D / lanesPerRow] = {};
    for (int begin = 0; begin < end; begin += keys) {
        __syncthreads();
        load<rows * lanesPerRow>(shared.k, k, begin, p.keyLen, p.headDim);
        load<rows * lanesPerRow>(shared.v, v, begin, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, begin, visible, p.scale, s);
        const float rescale = statistics.take(s);
        if (first + row < p.queryLen && part == 0)
            trace.tile((long long)head * p.queryLen + first + row, begin / keys, statistics, rescale);
#pragma unroll
        for (int j = 0; j < keys / lanesPerRow; ++j)
            shared.weight[row][j * lanesPerRow + part] = s[j];
        __syncwarp(); // a row's weights are its own four threads'
#pragma unroll
        for (int i = 0; i < D / lanesPerRow; ++i)
            o[i] *= rescale;
        accumulate(shared.weight, shared.v, row, part, visible - begin, seenByAll - begin, o);
    }
    if (first + row >= p.queryLen)
        return;
    float* out = p.o + p.queryHead(head) + (long long)(first + row) * p.headDim;
#pragma unroll
    for (int i = 0; i < D / lanesPerRow; ++i)
        if (i * lanesPerRow + part < p.headDim)
            out[i * lanesPerRow + part] = statistics.normalised(o[i]);
    if (part == 0)
        p.lse[(long long)head * p.queryLen + first + row] = statistics.logSumExp();
}

extern __shared__ float dynamicShared[];

} // namespace
