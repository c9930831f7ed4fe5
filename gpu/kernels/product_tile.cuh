// A tile of a product of matrices in f32 on the ordinary cores: what low_rank.cu and gau.cu have in common.
//
// A block of 4 · rows threads makes rows × 64 results, a thread four by four of them, from slices of 32 of what is summed
// over. A warp's threads read two elements of the left slice at a time, whose rows stand 33 apart, and whole rows of the
// right one in vectors: no two of them meet in a bank.
#pragma once

namespace {

constexpr int productColumns = 64, productDepth = 32;

template <int rows>
struct ProductTile {
    static constexpr int threads = 4 * rows;
    float left[rows][productDepth + 1];
    __align__(16) float right[productDepth][productColumns];
    /// Where this thread's four by four results are.
    static __device__ int row() { return threadIdx.x / 16 * 4; }
    static __device__ int column() { return threadIdx.x % 16 * 4; }
};

/// sum += Σ left(row, i) · right(i, column) for i of begin … end - 1, of rows 0 … rows - 1 and columns 0 … 63; what lies
/// outside has to be 0. `transposed`: neighbours of the left one lie along its rows, not along i.
template <int rows, bool transposed = false, class Left, class Right>
__device__ void addProducts(ProductTile<rows>& tile, int begin, int end, const Left& left, const Right& right, float (&sum)[4][4]) {
    constexpr int threads = ProductTile<rows>::threads;
    const int row = tile.row(), column = tile.column();
    for (int first = begin; first < end; first += productDepth) {
        __syncthreads();
#pragma unroll
        for (int at = threadIdx.x; at < rows * productDepth; at += threads) {
            const int r = transposed ? at % rows : at / productDepth, i = transposed ? at / rows : at % productDepth;
            tile.left[r][i] = first + i < end ? left(r, first + i) : 0;
        }
#pragma unroll
        for (int at = threadIdx.x; at < productDepth * productColumns; at += threads) {
            const int i = at / productColumns, c = at % productColumns;
            tile.right[i][c] = first + i < end ? right(first + i, c) : 0;
        }
        __syncthreads();
#pragma unroll 8
        for (int i = 0; i < productDepth; ++i) {
            const float4 b = *reinterpret_cast<const float4*>(&tile.right[i][column]);
#pragma unroll
            for (int r = 0; r < 4; ++r) {
                const float a = tile.left[row + r][i];
                sum[r][0] += a * b.x;
                sum[r][1] += a * b.y;
                sum[r][2] += a * b.z;
                sum[r][3] += a * b.w;
            }
        }
    }
}

/// Four neighbours of a row of `columns` numbers, value(0) … value(3), from `column`, a multiple of 4, on: at once where all
/// rows begin at whole vectors.
template <class Value>
__device__ __forceinline__ void storeFour(float* row, int column, int columns, const Value& value) {
    if (columns % 4 == 0) {
        if (column < columns)
            *reinterpret_cast<float4*>(row + column) = {value(0), value(1), value(2), value(3)};
        return;
    }
#pragma unroll
    for (int c = 0; c < 4; ++c)
        if (column + c < columns)
            row[column + c] = value(c);
}

} // namespace
