// A step of AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2) in one kernel: everything that a parameter
// needs is read and written once, 28 bytes of it.
//
//   adamw_f32          gradients in f32: w, g, m and v are read, w, m and v written, 4 bytes each.
//   adamw_f16, _bf16   gradients in 16 bits, scaled up against underflow; beside the f32 weights a copy of them in 16
//                      bits is written, which the next forward pass reads.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// AdamwConstants of gpu/ops/adamw_step.h.
struct Constants {
    float gradientFactor; ///< 1 / loss scale
    float decay;          ///< 1 − learning rate · weight decay
    float ofGradient;     ///< 1 − beta1
    float beta2, ofSquare;
    float rootFactor; ///< 1 / √(1 − beta2^t)
    float epsilon;
    float stepSize; ///< learning rate / (1 − beta1^t)
};

namespace {

constexpr int each = 4; ///< parameters a thread

template <class T>
struct alignas(each * sizeof(T)) Four {
    T at[each];
};

__device__ float wide(float x) { return x; }
__device__ float wide(__half x) { return __half2float(x); }
__device__ float wide(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ void narrow(float x, __half& y) { y = __float2half_rn(x); }
__device__ void narrow(float x, __nv_bfloat16& y) { y = __float2bfloat16_rn(x); }
__device__ void narrow(float x, float& y) { y = x; }

__device__ void update(float& w, float g, float& m, float& v, const Constants& c) {
    g *= c.gradientFactor;
    w *= c.decay;
    m += (g - m) * c.ofGradient;
    v = v * c.beta2 + c.ofSquare * (g * g);
    w -= c.stepSize * (m / (sqrtf(v) * c.rootFactor + c.epsilon));
}

/// `copy`: null where there is none.
template <class T>
__device__ void step(float* w, const T* g, float* m, float* v, T* copy, const Constants& c, long long count) {
    const long long first = (blockIdx.x * (long long)blockDim.x + threadIdx.x) * each;
    if (first + each <= count) {
        Four<float> w4 = *reinterpret_cast<Four<float>*>(w + first), m4 = *reinterpret_cast<Four<float>*>(m + first),
                    v4 = *reinterpret_cast<Four<float>*>(v + first);
        const Four<T> g4 = *reinterpret_cast<const Four<T>*>(g + first);
        Four<T> copied;
#pragma unroll
        for (int i = 0; i < each; ++i) {
            update(w4.at[i], wide(g4.at[i]), m4.at[i], v4.at[i], c);
            narrow(w4.at[i], copied.at[i]);
        }
        *reinterpret_cast<Four<float>*>(w + first) = w4;
        *reinterpret_cast<Four<float>*>(m + first) = m4;
        *reinterpret_cast<Four<float>*>(v + first) = v4;
        if (copy)
            *reinterpret_cast<Four<T>*>(copy + first) = copied;
        return;
    }
    for (long long i = first; i < count; ++i) {
        float weight = w[i], mean = m[i], square = v[i];
        update(weight, wide(g[i]), mean, square, c);
        w[i] = weight;
        m[i] = mean;
        v[i] = square;
        if (copy)
            narrow(weight, copy[i]);
    }
}

} // namespace

extern "C" __global__ void adamw_f32(float* w, const float* g, float* m, float* v, Constants c, long long count) {
    step<float>(w, g, m, v, nullptr, c, count);
}
extern "C" __global__ void adamw_f16(float* w, const __half* g, float* m, float* v, __half* copy, Constants c, long long count) {
    step<__half>(w, g, m, v, copy, c, count);
}
extern "C" __global__ void adamw_bf16(float* w, const __nv_bfloat16* g, float* m, float* v, __nv_bfloat16* copy, Constants c, long long count) {
    step<__nv_bfloat16>(w, g, m, v, copy, c, count);
}
