// What all kernels of linear attention share: the problem, the feature maps, and how rows of features are loaded.
//
// A state S [features, valueDim] takes a key and its value a step, k = phi(root · k_t), and a query reads it,
// o_t = phi(root · q_t)ᵀ S_t:
//   add          S += k vᵀ
//   retention    S  = g_t S + k vᵀ                       g_t a number a step
//   gla          S  = diag(a_t) S + k vᵀ                 a_t a number a step and feature
//   delta        S += b_t k (v - Sᵀ k)ᵀ
//   gated-delta  S  = g_t S, then as delta
// Normalised, a row of the output is divided by what the rule reads for values of 1: z, one more column of the state.
// Not causal (add alone), all queries read the last state.
//
// Tensors are row-major and contiguous, `heads` being batch · heads: q [heads, queryLen, headDim], k [heads, keyLen, headDim],
// v [heads, keyLen, valueDim], o [heads, queryLen, valueDim], decay [heads, keyLen] or of gla [heads, keyLen, features],
// beta [heads, keyLen], state [heads, features, valueDim], z [heads, features].
#pragma once

enum class Rule { Add, Retention, Gla, Delta, GatedDelta };
enum FeatureMap { Elu1, Relu, Relu2, Exp, Softmax, Cos, Taylor2, Favor, Identity };

/// Kernels are templates of the problem: ssd.cuh has another whose heads lie otherwise.
template <class T>
struct LinearProblem {
    using Number = T;
    const T* q;
    const T* k;
    const T* v;
    const float* decay;
    const float* beta;
    T* o;
    float* state; ///< null: is not asked for; nor is z
    float* z;
    int queryLen, keyLen;
    int headDim, valueDim; ///< numbers of a row in memory
    int features, map;
    float root; ///< of the scale: queries and keys are multiplied by it before the map
    int causal, normalised;

    /// The first row of a head, and from a row to the next.
    __device__ const T* queries(int head) const { return q + (long long)head * queryLen * headDim; }
    __device__ const T* keys(int head) const { return k + (long long)head * keyLen * headDim; }
    __device__ const T* values(int head) const { return v + (long long)head * keyLen * valueDim; }
    __device__ T* outputs(int head) const { return o + (long long)head * queryLen * valueDim; }
    __device__ int keyStride() const { return headDim; }
    __device__ int valueStride() const { return valueDim; }
    /// What a head begins with, [features, valueDim]; null: nothing.
    __device__ static const T* before(int) { return nullptr; }
};

/// A number's feature; Cos is a row's.
__device__ __forceinline__ float mapped(int map, float x) {
    switch (map) {
    case Elu1:
        return x > 0 ? x + 1 : expf(x);
    case Relu:
        return x < 0 ? 0 : x; // a NaN stays one
    case Relu2:
        return x < 0 ? 0 : x * x;
    case Exp:
        return expf(x);
    default:
        return x;
    }
}

/// Whether a rule's state decays by one number a step, and whether it takes what is there before it adds.
template <Rule rule>
constexpr bool decaysByStep = rule == Rule::Retention || rule == Rule::GatedDelta;
template <Rule rule>
constexpr bool isDelta = rule == Rule::Delta || rule == Rule::GatedDelta;
