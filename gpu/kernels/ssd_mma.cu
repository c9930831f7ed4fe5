// Mamba-2's SSD by chunks on tensor cores, for f16 and bf16 (sums in f32).
#include "linear_attention_mma.cuh"
#include "ssd.cuh"

// ssd_states_mma: grid (tiles of 64 features · tiles of 64 columns, heads). ssd_outputs_mma: grid (tiles of 64 rows, heads).
#define SSD_MMA_OUTPUTS(name, T, chunk)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(threads) ssd_outputs_mma_##name##_c##chunk(SsdProblem<T> p, const T* states) {         \
        outputsMma<chunk>(p, states, nullptr);                                                                                          \
    }
#define SSD_MMA_KERNELS(name, T)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(threads, 3) ssd_states_mma_##name(SsdProblem<T> p, T* states, int chunk) {             \
        statesMma(p, states, nullptr, chunk);                                                                                           \
    }                                                                                                                                   \
    SSD_MMA_OUTPUTS(name, T, 64)                                                                                                        \
    SSD_MMA_OUTPUTS(name, T, 128)
SSD_MMA_KERNELS(f16, __half)
SSD_MMA_KERNELS(bf16, __nv_bfloat16)
