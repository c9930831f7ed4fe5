// From f32 to 16 bits, and the largest |x| of a tensor. To 8 bits: cast_f8.cu.
//
//   cast_f16, cast_bf16  y = round(factor · x), and a flag where a number of y is not finite: what a loss scaler wants
//                        to know when it takes its scale off the gradients.
//   cast_amax            the bits of the largest |x| that is finite, into a word that holds 0 at first.
#include "cast.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace {

/// Two 16-bit numbers in a register; one whose bits of `exponent` are all set is infinite or NaN.
template <unsigned exponent>
struct Halves {
    using Number = unsigned short;
    using Pair = unsigned;
    __device__ static bool finite(Pair p) { return (p & exponent) != exponent && (p >> 16 & exponent) != exponent; }
    __device__ static Number low(Pair p) { return static_cast<Number>(p); }
};
struct ToHalf : Halves<0x7c00> {
    __device__ static Pair pair(float low, float high) {
        const __half2 p = __floats2half2_rn(low, high);
        return *reinterpret_cast<const unsigned*>(&p);
    }
};
struct ToBfloat : Halves<0x7f80> {
    __device__ static Pair pair(float low, float high) {
        const __nv_bfloat162 p = __floats2bfloat162_rn(low, high);
        return *reinterpret_cast<const unsigned*>(&p);
    }
};

} // namespace

extern "C" __global__ void cast_f16(const float* x, unsigned short* y, float* found, float factor, long long count) {
    castNumbers<ToHalf>(x, y, found, factor, count);
}
extern "C" __global__ void cast_bf16(const float* x, unsigned short* y, float* found, float factor, long long count) {
    castNumbers<ToBfloat>(x, y, found, factor, count);
}

/// 4096 numbers a block of 256 threads; a warp hands on one.
extern "C" __global__ void cast_amax(const float* x, unsigned* amax, long long count) {
    constexpr int each = 16;
    const long long first = blockIdx.x * (long long)(each * blockDim.x);
    unsigned most = 0;
    for (int i = 0; i < each; ++i) {
        const long long at = first + i * blockDim.x + threadIdx.x;
        const unsigned size = at < count ? __float_as_uint(x[at]) & 0x7fffffff : 0;
        most = size < 0x7f800000 ? max(most, size) : most;
    }
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        most = max(most, __shfl_xor_sync(~0u, most, offset));
    if (threadIdx.x % 32 == 0)
        atomicMax(amax, most);
}
