// From f32 to 8 bits. Needs sm_89.
//
//   cast_e4m3, cast_e5m2               as cast_f16; numbers beyond the range become the largest one, infinity stays one
//                                      (e4m3, which has none: NaN).
//   cast_scaled_e4m3, _e5m2            by the tensor's own scale, which follows from the largest |x|.
//   cast_transposed_e4m3, _e5m2        the same of a matrix whose columns become rows.
#include "cast.cuh"
#include "scale_f8.cuh"

namespace {

template <class Format>
struct Bytes {
    using Number = unsigned char;
    using Pair = unsigned short;
    __device__ static bool isInfinite(float x) { return (__float_as_uint(x) & 0x7fffffff) == 0x7f800000; }
    __device__ static unsigned infinityAs(float x) { return __float_as_uint(x) >> 31 << 7 | Format::infinity; }
    __device__ static Pair pair(float low, float high) {
        unsigned p = Format::saturated(low, high);
        if (isInfinite(low))
            p = (p & 0xff00) | infinityAs(low);
        if (isInfinite(high))
            p = (p & 0xff) | infinityAs(high) << 8;
        return static_cast<Pair>(p);
    }
    __device__ static bool finite(Pair p) { return (p & 0x7f) < Format::infinity && (p >> 8 & 0x7f) < Format::infinity; }
    __device__ static Number low(Pair p) { return static_cast<Number>(p); }
};

/// x [rows, columns] to y [columns, rows], both multiples of 32: a tile of 32 × 32 a block of 32 × 8 threads.
template <class Format>
__device__ void castTransposed(const float* x, unsigned char* y, const unsigned* amax, int rows, int columns) {
    constexpr int tile = 32;
    __shared__ float tiles[tile][tile + 1];
    const int firstRow = blockIdx.y * tile, firstColumn = blockIdx.x * tile;
    const float factor = powerOfTwo(scaleOfBlock<Format>(amax));
#pragma unroll
    for (int r = threadIdx.y; r < tile; r += 8)
        tiles[r][threadIdx.x] = factor * x[(long long)(firstRow + r) * columns + firstColumn + threadIdx.x];
    __syncthreads();
    const int thread = threadIdx.y * tile + threadIdx.x, column = thread / 8, row = thread % 8 * 4; // four rows a thread
    const unsigned low = Bytes<Format>::pair(tiles[row][column], tiles[row + 1][column]),
                   high = Bytes<Format>::pair(tiles[row + 2][column], tiles[row + 3][column]);
    *reinterpret_cast<unsigned*>(y + (long long)(firstColumn + column) * rows + firstRow + row) = low | high << 16;
}

} // namespace

extern "C" __global__ void cast_e4m3(const float* x, unsigned char* y, float* found, float factor, long long count) {
    castNumbers<Bytes<E4M3>>(x, y, found, factor, count);
}
extern "C" __global__ void cast_e5m2(const float* x, unsigned char* y, float* found, float factor, long long count) {
    castNumbers<Bytes<E5M2>>(x, y, found, factor, count);
}
extern "C" __global__ void cast_scaled_e4m3(const float* x, unsigned char* y, const unsigned* amax, long long count) {
    castNumbers<Bytes<E4M3>>(x, y, nullptr, powerOfTwo(scaleOfBlock<E4M3>(amax)), count);
}
extern "C" __global__ void cast_scaled_e5m2(const float* x, unsigned char* y, const unsigned* amax, long long count) {
    castNumbers<Bytes<E5M2>>(x, y, nullptr, powerOfTwo(scaleOfBlock<E5M2>(amax)), count);
}
extern "C" __global__ void cast_transposed_e4m3(const float* x, unsigned char* y, const unsigned* amax, int rows, int columns) {
    castTransposed<E4M3>(x, y, amax, rows, columns);
}
extern "C" __global__ void cast_transposed_e5m2(const float* x, unsigned char* y, const unsigned* amax, int rows, int columns) {
    castTransposed<E5M2>(x, y, amax, rows, columns);
}
