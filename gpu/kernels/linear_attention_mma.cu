// Causal linear attention by chunks on tensor cores, for f16 and bf16.
#include "linear_attention_mma.cuh"

// linear_states_mma: grid (tiles of 64 features · tiles of 64 columns, heads). linear_outputs_mma: grid (tiles of 64 queries, heads).
#define LINEAR_MMA_OUTPUTS(name, T, chunk)                                                                                                              \
    extern "C" __global__ void __launch_bounds__(threads) linear_outputs_mma_##name##_c##chunk(LinearProblem<T> p, const T* states, const float* sums) { \
        outputsMma<chunk>(p, states, sums);                                                                                                          \
    }
#define LINEAR_MMA_KERNELS(name, T)                                                                                                     \
    extern "C" __global__ void __launch_bounds__(threads, 3) linear_states_mma_##name(LinearProblem<T> p, T* states, float* sums, int chunk) { \
        statesMma(p, states, sums, chunk);                                                                                           \
    }                                                                                                                                   \
    LINEAR_MMA_OUTPUTS(name, T, 64)                                                                                                     \
    LINEAR_MMA_OUTPUTS(name, T, 128)
LINEAR_MMA_KERNELS(f16, __half)
LINEAR_MMA_KERNELS(bf16, __nv_bfloat16)
