// The gated attention unit (gau.cuh) but for what mixes tokens:
//
//   gau_project_silu   U or V: a product by tiles of 64 × 64, silu where it is written
//   gau_project_views  the same of Z, which never goes to memory: its views do
//   gau_product        Y
//   gau_states         with chunks: Σ k vᵀ of the linear keys of each chunk
//   gau_sum_states     these added up: over the chunks before each (causal), or over all
#include "gau.cuh"
#include "product_tile.cuh"

namespace {

__device__ __forceinline__ float silu(float x) { return x / (1 + expf(-x)); }

/// write(row, column, sums) of a tile of 64 × 64 of X [rows, inner] · W [inner, columns]: four sums beside each other.
template <class Write>
__device__ void product(const float* x, const float* w, int rows, int columns, int inner, const Write& write) {
    __shared__ ProductTile<64> tile;
    const int firstRow = blockIdx.y * 64, firstColumn = blockIdx.x * productColumns;
    float sum[4][4] = {};
    addProducts<64>(
        tile, 0, inner, [&](int row, int i) { return firstRow + row < rows ? x[(long long)(firstRow + row) * inner + i] : 0; },
        [&](int i, int column) { return firstColumn + column < columns ? w[(long long)i * columns + firstColumn + column] : 0; }, sum);
#pragma unroll
    for (int r = 0; r < 4; ++r)
        if (const int row = firstRow + tile.row() + r; row < rows)
            write(row, firstColumn + tile.column(), sum[r]);
}

} // namespace

// Grid (tiles of 64 columns, tiles of 64 rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) gau_product(const float* x, const float* w, float* y, int rows, int columns, int inner) {
    product(x, w, rows, columns, inner, [&](int row, int column, const float(&sum)[4]) {
        storeFour(y + (long long)row * columns, column, columns, [&](int c) { return sum[c]; });
    });
}
extern "C" __global__ void __launch_bounds__(256) gau_project_silu(const float* x, const float* w, float* y, int rows, int columns, int inner) {
    product(x, w, rows, columns, inner, [&](int row, int column, const float(&sum)[4]) {
        storeFour(y + (long long)row * columns, column, columns, [&](int c) { return silu(sum[c]); });
    });
}
/// `to` [views, rows, columns] of gamma and beta [views, columns]; up to four views.
extern "C" __global__ void __launch_bounds__(256) gau_project_views(const float* x, const float* w, const float* gamma, const float* beta, float* to, int rows, int columns, int inner, int views) {
    __shared__ float factor[4][96], added[4][96];
    const auto place = [](int column) { return column % 4 * 24 + column / 4; }; // without bank conflicts either way
    const int firstColumn = blockIdx.x * productColumns, view = threadIdx.x / productColumns, own = threadIdx.x % productColumns;
    if (view < views && firstColumn + own < columns) {
        factor[view][place(own)] = gamma[view * columns + firstColumn + own];
        added[view][place(own)] = beta[view * columns + firstColumn + own];
    }
    product(x, w, rows, columns, inner, [&](int row, int column, const float(&sum)[4]) { // which has synchronised
        const float z[4] = {silu(sum[0]), silu(sum[1]), silu(sum[2]), silu(sum[3])};
        for (int i = 0; i < views; ++i)
            storeFour(to + ((long long)i * rows + row) * columns, column, columns,
                      [&](int c) { return z[c] * factor[i][place(column - firstColumn + c)] + added[i][place(column - firstColumn + c)]; });
    });
}

/// Grid (tiles of 64 columns · tiles of 64 features, chunks, batch), 256 threads: states [batch, gridDim.y, shared, expanded].
extern "C" __global__ void __launch_bounds__(256) gau_states(GauMixing p, float* states) {
    __shared__ ProductTile<64> tile;
    const int columnTiles = (p.expanded + productColumns - 1) / productColumns;
    const int firstFeature = blockIdx.x / columnTiles * 64, firstColumn = blockIdx.x % columnTiles * productColumns;
    const int begin = blockIdx.y * p.chunk, count = p.length - begin < p.chunk ? p.length - begin : p.chunk;
    const long long rows = (long long)p.batch * p.length, token = (long long)blockIdx.z * p.length + begin;
    const float *k = p.views + (3 * rows + token) * p.shared + firstFeature, *v = p.v + token * p.expanded + firstColumn;
    float sum[4][4] = {};
    addProducts<64, true>(
        tile, 0, count, [&](int feature, int t) { return firstFeature + feature < p.shared ? k[(long long)t * p.shared + feature] : 0; },
        [&](int t, int column) { return firstColumn + column < p.expanded ? v[(long long)t * p.expanded + column] : 0; }, sum);
    float* to = states + ((long long)blockIdx.z * gridDim.y + blockIdx.y) * p.shared * p.expanded;
#pragma unroll
    for (int r = 0; r < 4; ++r)
        if (const int feature = firstFeature + tile.row() + r; feature < p.shared)
            storeFour(to + (long long)feature * p.expanded, firstColumn + tile.column(), p.expanded, [&](int c) { return sum[r][c]; });
}

/// Grid (⌈numbers / 256⌉, batch): state c of `chunks` becomes the sum of the first c + 1, or the first one that of all.
extern "C" __global__ void __launch_bounds__(256) gau_sum_states(float* states, long long numbers, int chunks, int causal) {
    const long long i = (long long)blockIdx.x * 256 + threadIdx.x;
    if (i >= numbers)
        return;
    float *state = states + blockIdx.y * chunks * numbers + i, sum = 0;
    for (int chunk = 0; chunk < chunks; ++chunk) {
        sum += state[chunk * numbers];
        if (causal)
            state[chunk * numbers] = sum;
    }
    if (!causal)
        state[0] = sum;
}
