// flash1 and flash2 telling of themselves: the same code, headDim up to 32, and each row's running maximum and sum written down
// after every tile, so that the walk over the tiles can be shown as it was.
#include "attention_flash.cuh"

/// `trace` [heads · queryLen, ceil(keyLen / T), 3]: see TileTrace.
#define TRACED_KERNELS(T)                                                                                                                       \
    extern "C" __global__ void __launch_bounds__(T * lanesPerRow) flash1_traced_t##T(AttentionProblem<float> p, float* m, float* l, float* trace) { \
        flash1(p, m, l, *reinterpret_cast<FlashShared<32, T, T>*>(dynamicShared), TileTrace{trace, (p.keyLen + T - 1) / T});                    \
    }                                                                                                                                           \
    extern "C" __global__ void __launch_bounds__(T * lanesPerRow) flash2_traced_t##T(AttentionProblem<float> p, float* trace) {                 \
        flash2(p, *reinterpret_cast<FlashShared<32, T, T>*>(dynamicShared), TileTrace{trace, (p.keyLen + T - 1) / T});                          \
    }
TRACED_KERNELS(8)
TRACED_KERNELS(16)
TRACED_KERNELS(32)
