// Mamba-2's SSD (state space duality) as linear attention sees it: C are queries, B keys, X values, and each step's decay
// is a number, S = e^{a_t} S + b_t x_tᵀ, y_t = Sᵀ c_t. The kernels are those of linear attention; what differs is where
// rows lie, and that several heads share a group's B and C.
//
// x and y [batch, length, heads, valueDim], b and c [batch, length, groups, headDim] with `features` numbers of headDim
// that count, decay [batch · heads, length] (factors, by ssd_decays), state and initial [batch · heads, features, valueDim].
#pragma once

#include "linear_attention.cuh"

template <class T>
struct SsdProblem {
    using Number = T;
    const T* c;
    const T* b;
    const T* x;
    const float* decay;
    T* y;
    float* state;     ///< null: is not asked for
    const T* initial; ///< null: nothing
    int queryLen, keyLen;
    int headDim, valueDim; ///< numbers of a row in memory
    int features, heads, groups;

    static constexpr const float* beta = nullptr;
    static constexpr float* z = nullptr;
    static constexpr int map = Identity, causal = 1, normalised = 0;
    static constexpr float root = 1;

    __device__ long long ofGroup(int head) const { return ((long long)(head / heads) * keyLen * groups + head % heads / (heads / groups)) * headDim; }
    __device__ long long ofHead(int head) const { return ((long long)(head / heads) * keyLen * heads + head % heads) * valueDim; }
    __device__ const T* queries(int head) const { return c + ofGroup(head); }
    __device__ const T* keys(int head) const { return b + ofGroup(head); }
    __device__ const T* values(int head) const { return x + ofHead(head); }
    __device__ T* outputs(int head) const { return y + ofHead(head); }
    __device__ int keyStride() const { return groups * headDim; }
    __device__ int valueStride() const { return heads * valueDim; }
    __device__ const T* before(int head) const { return initial ? initial + (long long)head * features * valueDim : nullptr; }
};
