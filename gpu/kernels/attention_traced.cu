// flash1 and flash2 telling of themselves: the same code, headDim up to 32, and each row's scores, running maximum and sum written
// down after every tile, so that the walk over the tiles can be shown as it was.
#include "attention_flash.cuh"

namespace {

/// Besides the statistics `scores` [heads · queryLen, keyLen] in natural units, -inf where masked. The kernel has turned its own
/// into weights by then: they are multiplied out once more, by the same function from the same tiles, so that they have the
/// same bits.
template <int T>
struct ScoreTrace {
    TileTrace statistics;
    float* scores;
    const AttentionProblem<float>& p;
    const FlashShared<32, T, T>& shared;
    __device__ void tile(long long row, int tile, const Statistics& s, float rescale) const {
        statistics.tile(row, tile, s, rescale);
        const int first = tile * T, visible = p.visible((int)(row % p.queryLen));
#pragma unroll 1
        for (int part = 0; part < lanesPerRow; ++part) {
            float score[T / lanesPerRow];
            ::scores(shared.q, shared.k, threadIdx.x / lanesPerRow, part, first, visible, p.scale, score);
#pragma unroll
            for (int j = 0; j < T / lanesPerRow; ++j)
                if (first + j * lanesPerRow + part < p.keyLen)
                    scores[row * p.keyLen + first + j * lanesPerRow + part] = score[j] * ln2;
        }
    }
};

} // namespace

/// `trace` [heads · queryLen, ceil(keyLen / T), 3]: see TileTrace. `scores`: see ScoreTrace.
#define TRACED_KERNELS(T)                                                                                                                      \
    extern "C" __global__ void __launch_bounds__(T * lanesPerRow)                                                                              \
        flash1_traced_t##T(AttentionProblem<float> p, float* m, float* l, float* trace, float* scores) {                                       \
        auto& shared = *reinterpret_cast<FlashShared<32, T, T>*>(dynamicShared);                                                               \
        flash1(p, m, l, shared, ScoreTrace<T>{{trace, (p.keyLen + T - 1) / T}, scores, p, shared});                                            \
    }                                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(T * lanesPerRow) flash2_traced_t##T(AttentionProblem<float> p, float* trace, float* scores) { \
        auto& shared = *reinterpret_cast<FlashShared<32, T, T>*>(dynamicShared);                                                               \
        flash2(p, shared, ScoreTrace<T>{{trace, (p.keyLen + T - 1) / T}, scores, p, shared});                                                  \
    }
TRACED_KERNELS(8)
TRACED_KERNELS(16)
TRACED_KERNELS(32)
