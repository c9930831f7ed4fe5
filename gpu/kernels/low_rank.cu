// Low-rank attention: what makes few keys of many, and Nyström's way through few landmarks. Attention between all queries
// and few keys is attention_flash.cu's.
//
//   low_rank_product      C = scale · X (g I - Y), tile by tile: E K of Linformer, with g = 0 and scale = -1, where few
//                         blocks would go through many keys these are split; and the products of the pseudo-inverse.
//   low_rank_sum          the sum of the parts of a split product
//   low_rank_means        means of segments of rows: segment s of r begins at row s · count / r
//   low_rank_few_queries  few queries against all keys, which are split over blocks
//   low_rank_merge        merges the parts by their statistics
//   nystrom_scores        A = softmax(scale · Q̃ K̃ᵀ)
//   nystrom_start         Z = Aᵀ / (‖A‖₁ ‖A‖∞), of which Z ← ¼ Z (13 I - A Z (15 I - A Z (7 I - A Z))) begins
//
// A sum over what lies beyond the end of a row or a segment has zeros there. Heads are blockIdx.y.
#include "attention_flash.cuh"
#include "product_tile.cuh"

namespace {

/// A product of each head: X [rows, inner], Y [inner, columns], C [rows, columns]. Split s sums over its own `perSplit` of
/// `inner` and writes to c + s · heads · rows · columns. `sharedLeft`: one X for all heads.
struct LowRankProduct {
    const float* x;
    const float* y;
    float* c;
    int rows, columns, inner, perSplit, sharedLeft;
    float identity, scale;
};

constexpr int warps = 4;

/// Rows of weights stand 36 apart: a warp writes four each of eight rows at a time.
template <int D>
struct FewShared {
    Tile<D, 32> q, k, v;
    float weight[32][36];
};

/// Keys of a split that a tile of queries goes through.
template <int D>
__device__ void fewQueries(const AttentionProblem<float>& p, float* partO, float* partMost, float* partSum, int perSplit, FewShared<D>& shared) {
    const int tiles = (p.queryLen + 31) / 32, split = blockIdx.x / tiles, splits = gridDim.x / tiles, head = blockIdx.y;
    const int first = blockIdx.x % tiles * 32, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const int begin = split * perSplit, end = p.keyLen - begin < perSplit ? p.keyLen : begin + perSplit;
    const float *k = p.k + p.keyHead(head), *v = p.v + p.keyHead(head);
    load<32 * lanesPerRow>(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    Statistics statistics;
    float s[32 / lanesPerRow], o[D / lanesPerRow] = {};
    for (int key = begin; key < end; key += 32) {
        __syncthreads();
        load<32 * lanesPerRow>(shared.k, k, key, end, p.headDim);
        load<32 * lanesPerRow>(shared.v, v, key, end, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, key, end, p.scale, s);
        const float rescale = statistics.take(s);
#pragma unroll
        for (int j = 0; j < 32 / lanesPerRow; ++j)
            shared.weight[row][j * lanesPerRow + part] = s[j];
        __syncwarp();
#pragma unroll
        for (int i = 0; i < D / lanesPerRow; ++i)
            o[i] *= rescale;
        const int left = end - key < 32 ? end - key : 32;
#pragma unroll 4
        for (int j = 0; j < left; ++j) {
            const float w = shared.weight[row][j];
#pragma unroll
            for (int i = 0; i < D / lanesPerRow; ++i)
                o[i] += w * shared.v.at[j][i * lanesPerRow + part];
        }
    }
    if (first + row >= p.queryLen)
        return;
    const long long at = ((long long)head * p.queryLen + first + row) * splits + split;
#pragma unroll
    for (int i = 0; i < D / lanesPerRow; ++i)
        if (i * lanesPerRow + part < p.headDim)
            partO[at * p.headDim + i * lanesPerRow + part] = o[i];
    if (part == 0) {
        partMost[at] = statistics.most;
        partSum[at] = statistics.sum;
    }
}

/// The weights of 32 landmarks for all landmarks, K̃ read twice: for each row's maximum and sum, then for its weights.
template <int D>
__device__ void landmarkWeights(const AttentionProblem<float>& p, float* a, FewShared<D>& shared) {
    const int head = blockIdx.y, first = blockIdx.x * 32, row = threadIdx.x / lanesPerRow, part = threadIdx.x % lanesPerRow;
    const float* k = p.k + p.keyHead(head);
    load<32 * lanesPerRow>(shared.q, p.q + p.queryHead(head), first, p.queryLen, p.headDim);
    Statistics statistics;
    float s[32 / lanesPerRow];
    for (int key = 0; key < p.keyLen; key += 32) {
        __syncthreads();
        load<32 * lanesPerRow>(shared.k, k, key, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, key, p.keyLen, p.scale, s);
        statistics.take(s);
    }
    const float base = baseOf(statistics.most);
    float* to = a + ((long long)head * p.queryLen + first + row) * p.keyLen;
    for (int key = 0; key < p.keyLen; key += 32) {
        __syncthreads();
        load<32 * lanesPerRow>(shared.k, k, key, p.keyLen, p.headDim);
        __syncthreads();
        scores(shared.q, shared.k, row, part, key, p.keyLen, p.scale, s);
#pragma unroll
        for (int j = 0; j < 32 / lanesPerRow; ++j)
            if (const int column = key + j * lanesPerRow + part; first + row < p.queryLen && column < p.keyLen)
                to[column] = statistics.normalised(fastExp2(s[j] - base));
    }
}

} // namespace

/// Grid (tiles of 32 rows · tiles of 64 columns · splits, heads), 128 threads.
extern "C" __global__ void __launch_bounds__(128) low_rank_product(LowRankProduct p) {
    __shared__ ProductTile<32> tile;
    const int columnTiles = (p.columns + productColumns - 1) / productColumns, rowTiles = (p.rows + 31) / 32;
    const int firstColumn = blockIdx.x % columnTiles * productColumns, firstRow = blockIdx.x / columnTiles % rowTiles * 32;
    const int split = blockIdx.x / columnTiles / rowTiles, begin = split * p.perSplit;
    const int end = p.inner - begin < p.perSplit ? p.inner : begin + p.perSplit;
    const float* x = p.x + (p.sharedLeft ? 0 : (long long)blockIdx.y * p.rows * p.inner);
    const float* y = p.y + (long long)blockIdx.y * p.inner * p.columns;
    float sum[4][4] = {};
    addProducts<32>(
        tile, begin, end, [&](int row, int i) { return firstRow + row < p.rows ? x[(long long)(firstRow + row) * p.inner + i] : 0; },
        [&](int i, int column) {
            column += firstColumn;
            return column < p.columns ? (i == column ? p.identity : 0) - y[(long long)i * p.columns + column] : 0;
        },
        sum);
    float* to = p.c + ((long long)split * gridDim.y + blockIdx.y) * p.rows * p.columns;
#pragma unroll
    for (int r = 0; r < 4; ++r)
        if (const int row = firstRow + tile.row() + r; row < p.rows)
            storeFour(to + (long long)row * p.columns, firstColumn + tile.column(), p.columns, [&](int c) { return p.scale * sum[r][c]; });
}

/// to[i] = Σ over the parts of from[part · count + i]; a thread a sum.
extern "C" __global__ void __launch_bounds__(256) low_rank_sum(const float* from, float* to, long long count, int parts) {
    const long long i = (long long)blockIdx.x * 256 + threadIdx.x;
    if (i >= count)
        return;
    float sum = 0;
    for (int part = 0; part < parts; ++part)
        sum += from[part * count + i];
    to[i] = sum;
}

/// Grid (segments, heads of `from`), 32 × 4 threads. from [heads, count, columns]; to [heads · copies, segments, columns]:
/// the mean of a key head for each query head that reads it.
extern "C" __global__ void __launch_bounds__(128) low_rank_means(const float* from, float* to, int count, int columns, int copies) {
    __shared__ float sums[4][32];
    const int segments = gridDim.x;
    const int begin = (int)((long long)blockIdx.x * count / segments), end = (int)((long long)(blockIdx.x + 1) * count / segments);
    const float* head = from + (long long)blockIdx.y * count * columns;
    for (int first = 0; first < columns; first += 32) {
        const int column = first + threadIdx.x;
        float sum = 0;
        for (int row = begin + threadIdx.y; column < columns && row < end; row += 4)
            sum += head[(long long)row * columns + column];
        sums[threadIdx.y][threadIdx.x] = sum;
        __syncthreads();
        if (threadIdx.y == 0 && column < columns) {
            const float mean = (sum + sums[1][threadIdx.x] + sums[2][threadIdx.x] + sums[3][threadIdx.x]) / (end - begin);
            for (int copy = 0; copy < copies; ++copy)
                to[(((long long)blockIdx.y * copies + copy) * segments + blockIdx.x) * columns + column] = mean;
        }
        __syncthreads();
    }
}

/// A warp a row, four a block: w[row] of `rows` from its splits.
extern "C" __global__ void __launch_bounds__(128) low_rank_merge(const float* partO, const float* partMost, const float* partSum, float* w, int rows, int splits, int headDim) {
    constexpr int columns = 8; // headDim <= 256
    const int row = blockIdx.x * warps + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows)
        return;
    const float *m = partMost + (long long)row * splits, *l = partSum + (long long)row * splits;
    float most = -CUDART_INF_F, sum = 0, o[columns] = {};
    for (int i = lane; i < splits; i += 32)
        most = fmaxf(most, m[i]);
    const float base = baseOf(groupMax<32>(most));
    for (int first = 0; first < splits; first += 32) {
        const int count = splits - first < 32 ? splits - first : 32;
        const float own = lane < count ? fastExp2(m[first + lane] - base) : 0;
        sum += lane < count ? own * l[first + lane] : 0;
        for (int i = 0; i < count; ++i) {
            const float factor = __shfl_sync(0xffffffffu, own, i);
            const float* part = partO + ((long long)row * splits + first + i) * headDim;
#pragma unroll
            for (int c = 0; c < columns; ++c)
                if (c * 32 + lane < headDim)
                    o[c] += factor * part[c * 32 + lane];
        }
    }
    sum = groupSum<32>(sum);
#pragma unroll
    for (int c = 0; c < columns; ++c)
        if (c * 32 + lane < headDim)
            w[(long long)row * headDim + c * 32 + lane] = sum == 0 ? 0 : o[c] / sum;
}

/// One block of 32 × 8 threads a head: A and Z [heads, rank, rank]. A is read for its columns' sums, its rows' and for Z.
extern "C" __global__ void __launch_bounds__(256) nystrom_start(const float* a, float* z, int rank) {
    __shared__ float sums[8][32], turned[32][33];
    const int x = threadIdx.x, y = threadIdx.y;
    const float* from = a + (long long)blockIdx.x * rank * rank;
    float* to = z + (long long)blockIdx.x * rank * rank;
    float ofColumns = 0, ofRows = 0;
    for (int first = 0; first < rank; first += 32) {
        float sum = 0;
        for (int row = y; first + x < rank && row < rank; row += 8)
            sum += fabsf(from[(long long)row * rank + first + x]);
        sums[y][x] = sum;
        __syncthreads();
        sum = 0;
        for (int i = 0; i < 8; ++i)
            sum += sums[i][x];
        ofColumns = fmaxf(ofColumns, sum);
        __syncthreads();
    }
    for (int row = y; row < rank; row += 8) {
        float sum = 0;
        for (int column = x; column < rank; column += 32)
            sum += fabsf(from[(long long)row * rank + column]);
        ofRows = fmaxf(ofRows, groupSum<32>(sum));
    }
    sums[y][x] = ofRows;
    __syncthreads();
    for (int i = 0; i < 8; ++i)
        ofRows = fmaxf(ofRows, sums[i][x]);
    const float factor = 1 / (groupMax<32>(ofColumns) * ofRows);
    for (int firstRow = 0; firstRow < rank; firstRow += 32)
        for (int firstColumn = 0; firstColumn < rank; firstColumn += 32) {
            __syncthreads();
            for (int row = y; row < 32; row += 8)
                if (firstRow + row < rank && firstColumn + x < rank)
                    turned[row][x] = from[(long long)(firstRow + row) * rank + firstColumn + x];
            __syncthreads();
            for (int row = y; row < 32; row += 8)
                if (firstColumn + row < rank && firstRow + x < rank)
                    to[(long long)(firstColumn + row) * rank + firstRow + x] = turned[x][row] * factor;
        }
}

// One kernel a padded head dimension, 128 threads, dynamic shared memory: sizeof(FewShared<D>).
// low_rank_few_queries: grid (tiles of 32 queries · splits, heads); nystrom_scores: grid (tiles of 32 landmarks, heads).
#define LOW_RANK_KERNELS(D)                                                                                                                                               \
    extern "C" __global__ void __launch_bounds__(128) low_rank_few_queries_d##D(AttentionProblem<float> p, float* partO, float* partMost, float* partSum, int perSplit) { \
        fewQueries<D>(p, partO, partMost, partSum, perSplit, *reinterpret_cast<FewShared<D>*>(dynamicShared));                                                            \
    }                                                                                                                                                                     \
    extern "C" __global__ void __launch_bounds__(128) nystrom_scores_d##D(AttentionProblem<float> p, float* a) {                                                          \
        landmarkWeights<D>(p, a, *reinterpret_cast<FewShared<D>*>(dynamicShared));                                                                                        \
    }
LOW_RANK_KERNELS(32)
LOW_RANK_KERNELS(64)
LOW_RANK_KERNELS(128)
LOW_RANK_KERNELS(256)
