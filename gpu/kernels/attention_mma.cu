// flash2-mma: FlashAttention-2's order on tensor cores, for f16 and bf16 (attention_mma.cuh).
#include "attention_mma.cuh"

namespace {

/// The tiles of keys that this block's queries see: as far as the last of them does.
template <int D, class T>
__device__ AllTiles tilesSeen(const AttentionProblem<T>& p) {
    const int last = blockIdx.x * rows + rows - 1;
    return AllTiles(keysPerTile<D>, p.visible(last < p.queryLen ? last : p.queryLen - 1));
}

} // namespace

// headDim is a multiple of 8 up to D. Dynamic shared memory: 2·D·(64 + 4·keys) bytes.
#define FLASH_MMA_KERNELS(D)                                                                                           \
    extern "C" __global__ void __launch_bounds__(threads) flash2_mma_f16_d##D(AttentionProblem<__half> p) {            \
        flash2Mma<__half, D>(p, dynamicShared, tilesSeen<D>(p));                                                                        \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(threads) flash2_mma_bf16_d##D(AttentionProblem<__nv_bfloat16> p) {    \
        flash2Mma<__nv_bfloat16, D>(p, dynamicShared, tilesSeen<D>(p));                                                                 \
    }
FLASH_MMA_KERNELS(32)
FLASH_MMA_KERNELS(64)
FLASH_MMA_KERNELS(128)
FLASH_MMA_KERNELS(256)
