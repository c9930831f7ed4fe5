// Numbers of f32 in a smaller format, four a thread.
#pragma once

/// y = round(factor · x), to nearest even. `To` rounds two numbers at a time and knows whether both are finite; where
/// one is not, *found becomes 1. x and y lie on 16 bytes.
template <class To>
__device__ __forceinline__ void castNumbers(const float* x, typename To::Number* y, float* found, float factor, long long count) {
    using Pair = typename To::Pair;
    struct alignas(2 * sizeof(Pair)) Four {
        Pair low, high;
    };
    const long long first = (blockIdx.x * (long long)blockDim.x + threadIdx.x) * 4;
    bool finite = true;
    if (first + 4 <= count) {
        const float4 from = *reinterpret_cast<const float4*>(x + first);
        const Four four{To::pair(factor * from.x, factor * from.y), To::pair(factor * from.z, factor * from.w)};
        finite = To::finite(four.low) && To::finite(four.high);
        *reinterpret_cast<Four*>(y + first) = four;
    } else {
        for (long long i = first; i < count; ++i) {
            const Pair pair = To::pair(factor * x[i], 0);
            finite = finite && To::finite(pair);
            y[i] = To::low(pair);
        }
    }
    if (!finite && found)
        *found = 1;
}
