// flash1 and flash2 with tiles of other sizes than 32, to see what a tile's size does to the bytes: FlashAttention-1 writes
// and reads O once for every tile of keys, FlashAttention-2 reads K and V once for every tile of queries.
//
// flash1_dD_tT, flash2_dD_tT: tiles of T queries and T keys. Dynamic shared memory: sizeof(FlashShared<D, T, T>).
#include "attention_flash.cuh"

#define TILE_KERNELS(D, T)                                                                                                                      \
    extern "C" __global__ void __launch_bounds__(T * lanesPerRow) flash1_d##D##_t##T(AttentionProblem<float> p, float* m, float* l) {           \
        flash1(p, m, l, *reinterpret_cast<FlashShared<D, T, T>*>(dynamicShared));                                                               \
    }                                                                                                                                           \
    extern "C" __global__ void __launch_bounds__(T * lanesPerRow) flash2_d##D##_t##T(AttentionProblem<float> p) {                               \
        flash2(p, *reinterpret_cast<FlashShared<D, T, T>*>(dynamicShared));                                                                     \
    }
TILE_KERNELS(32, 8)
TILE_KERNELS(32, 16)
TILE_KERNELS(32, 48)
TILE_KERNELS(32, 64)
TILE_KERNELS(32, 96)
TILE_KERNELS(64, 8)
TILE_KERNELS(64, 16)
TILE_KERNELS(64, 48)
TILE_KERNELS(64, 64)
TILE_KERNELS(64, 96)
TILE_KERNELS(128, 8)
TILE_KERNELS(128, 16)
TILE_KERNELS(128, 48)
TILE_KERNELS(128, 64)
