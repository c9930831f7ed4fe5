// 8-bit numbers, and one scale for a whole tensor of them. The scale is a power of two: scaling rounds nothing by itself
// and is taken back exactly. One that is none would use up to twice as much of the range, in which a floating-point
// format is as precise everywhere.
#pragma once

/// A format: two f32 rounded into a pair, `high` in the higher byte; its largest number, 1.75 · 2^highest; what stands
/// for infinity, which cvt would make the largest number.
struct E4M3 {
    static constexpr int highest = 8;
    static constexpr unsigned infinity = 0x7f; // there is none: NaN
    __device__ static unsigned short saturated(float low, float high) {
        unsigned short r;
        asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(r) : "f"(high), "f"(low));
        return r;
    }
};
struct E5M2 {
    static constexpr int highest = 15;
    static constexpr unsigned infinity = 0x7c;
    __device__ static unsigned short saturated(float low, float high) {
        unsigned short r;
        asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(r) : "f"(high), "f"(low));
        return r;
    }
};

/// The largest e with amax · 2^e within the format, at most 126 so that 2^−e is a normal number; `amax`: the bits of the
/// largest |x| that is finite.
template <class Format>
__device__ __forceinline__ int scaleExponent(unsigned amax) {
    constexpr unsigned threeQuarters = 0x600000; // the fraction of 1.75
    return min(Format::highest - (static_cast<int>(amax >> 23) - 127) - ((amax & 0x7fffff) > threeQuarters ? 1 : 0), 126);
}

/// The same for a whole block, of which one thread reads the word.
template <class Format>
__device__ __forceinline__ int scaleOfBlock(const unsigned* amax) {
    __shared__ int exponent;
    if (threadIdx.x == 0 && threadIdx.y == 0)
        exponent = scaleExponent<Format>(*amax);
    __syncthreads();
    return exponent;
}

/// 2^exponent, of −126 to 127.
__device__ __forceinline__ float powerOfTwo(int exponent) { return __uint_as_float(static_cast<unsigned>(exponent + 127) << 23); }
