// What a rank of a collective does with what it received: one thread an element, or 16 bytes of them.
//
//   reduce_sum_<type>  into[i] = into[i] + from[i]
//   reduce_max_<type>  into[i] = the greater of the two; NaN when one of them is
//   divide_<type>      into[i] = into[i] / divisor: an average after a sum
//                      <type>: f32, f64, f16, bf16. Each result is rounded to its type, to nearest, ties to even: f16 and
//                      bf16 are computed in f32, whose 24 bits are enough (2 · 11 + 2) that rounding twice changes nothing.
//
// Where `into` and `from` lie alike within 16 bytes, all but the ends goes 16 bytes at a time.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace {

constexpr int packBytes = 16;

template <class T>
struct alignas(packBytes) Pack {
    static constexpr int size = packBytes / sizeof(T);
    T value[size];
};

/// What a type is computed in.
template <class T>
struct Computed {
    using Type = T;
    static __device__ T from(T x) { return x; }
    static __device__ T to(T x) { return x; }
};
template <>
struct Computed<__half> {
    using Type = float;
    static __device__ float from(__half x) { return __half2float(x); }
    static __device__ __half to(float x) { return __float2half_rn(x); }
};
template <>
struct Computed<__nv_bfloat16> {
    using Type = float;
    static __device__ float from(__nv_bfloat16 x) { return __bfloat162float(x); }
    static __device__ __nv_bfloat16 to(float x) { return __float2bfloat16_rn(x); }
};

struct Sum {
    template <class T>
    __device__ T operator()(T into, T from) const {
        return into + from;
    }
};
struct Max {
    template <class T>
    __device__ T operator()(T into, T from) const {
        return from > into || from != from ? from : into;
    }
};

/// `combine` for elements [0, n) of both, by all threads of the grid.
template <class T, class Combine>
__device__ void reduce(T* into, const T* from, long long n, Combine combine) {
    const auto one = [&](T x, T y) {
        using C = Computed<T>;
        return C::to(combine(C::from(x), C::from(y)));
    };
    const unsigned long long at = reinterpret_cast<unsigned long long>(into), other = reinterpret_cast<unsigned long long>(from);
    const bool alike = (at - other) % packBytes == 0;
    const long long untilAligned = (packBytes - at % packBytes) % packBytes / sizeof(T);
    const long long head = alike && untilAligned < n ? untilAligned : n;
    const long long packs = (n - head) / Pack<T>::size;
    const long long thread = blockIdx.x * (long long)blockDim.x + threadIdx.x, threads = gridDim.x * (long long)blockDim.x;
    Pack<T>* const intoPacks = reinterpret_cast<Pack<T>*>(into + head);
    const Pack<T>* const fromPacks = reinterpret_cast<const Pack<T>*>(from + head);
    for (long long i = thread; i < packs; i += threads) {
        Pack<T> x = intoPacks[i];
        const Pack<T> y = fromPacks[i];
#pragma unroll
        for (int j = 0; j < Pack<T>::size; ++j)
            x.value[j] = one(x.value[j], y.value[j]);
        intoPacks[i] = x;
    }
    const long long tail = head + packs * Pack<T>::size;
    for (long long i = thread; i < head; i += threads)
        into[i] = one(into[i], from[i]);
    for (long long i = tail + thread; i < n; i += threads)
        into[i] = one(into[i], from[i]);
}

template <class T>
__device__ void divide(T* into, double divisor, long long n) {
    using C = Computed<T>;
    const typename C::Type by = static_cast<typename C::Type>(divisor);
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += gridDim.x * (long long)blockDim.x)
        into[i] = C::to(C::from(into[i]) / by);
}

} // namespace

#define WARPLIGHT_REDUCE(NAME, T)                                                                  \
    extern "C" __global__ void reduce_sum_##NAME(T* into, const T* from, long long n) {           \
        reduce(into, from, n, Sum());                                                              \
    }                                                                                              \
    extern "C" __global__ void reduce_max_##NAME(T* into, const T* from, long long n) {           \
        reduce(into, from, n, Max());                                                              \
    }                                                                                              \
    extern "C" __global__ void divide_##NAME(T* into, double divisor, long long n) {              \
        divide(into, divisor, n);                                                                  \
    }

WARPLIGHT_REDUCE(f32, float)
WARPLIGHT_REDUCE(f64, double)
WARPLIGHT_REDUCE(f16, __half)
WARPLIGHT_REDUCE(bf16, __nv_bfloat16)
