// SPDX-License-Identifier: GPL-3.0-or-later
// The strip of six rows on pairs of bf16 numbers, by AVX-512's vdpbf16ps: c += a0·b0 + a1·b1 in f32 in every lane,
// rounded to nearest even, denormals taken and given as zero (Intel SDM). Included once per target; Highway 1.0 has no
// target with these instructions, so that they are added to the functions here alone and looked for at run time.
#if defined(WARPLIGHT_CPU_BF16_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_CPU_BF16_INL_H
#undef WARPLIGHT_CPU_BF16_INL_H
#else
#define WARPLIGHT_CPU_BF16_INL_H
#endif

#include "core/cpu/attention/softmax-inl.h"
#include "core/cpu/attention/strip-inl.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
#if HWY_TARGET == HWY_AVX3 && defined(__GNUC__) && !defined(__clang__)
#define WARPLIGHT_BF16 __attribute__((target("avx512bf16")))
#pragma GCC diagnostic push // GCC 12 warns of its own intrinsics, which leave masked-off lanes undefined on purpose
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

/// Two neighbours of a row as the 32 bits of one lane, the even one low: what vdpbf16ps multiplies and adds at once.
WARPLIGHT_BF16 inline void pairsOfRow(const float* x, int64_t count, uint32_t* pairs) {
    int64_t i = 0;
    for (; i + 32 <= count; i += 32)
        _mm512_storeu_si512(pairs + i / 2,
                            (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i)));
    for (; i < count; i += 2)
        pairs[i / 2] = static_cast<uint32_t>(number::floatToBf16(x[i])) |
                       (i + 1 < count ? static_cast<uint32_t>(number::floatToBf16(x[i + 1])) << 16 : 0);
}

/// multiplyStrip on pairs: c [Rows, Vectors·lanes] = factor · a b, or += a b. Each step does twice the work.
template <int Rows, int Vectors, bool AddToC>
WARPLIGHT_BF16 HWY_INLINE void multiplyPairs(const uint32_t* HWY_RESTRICT a, int64_t aStride,
                                             const uint32_t* HWY_RESTRICT b, int64_t bStride, int64_t depth,
                                             float* HWY_RESTRICT c, int64_t cStride, float factor) {
    __m512 sums[Rows][Vectors];
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            sums[r][n] = AddToC ? _mm512_loadu_ps(c + r * cStride + n * lanesOf) : _mm512_setzero_ps();
    for (int64_t k = 0; k < depth; ++k) {
        __m512bh column[Vectors];
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            column[n] = (__m512bh)_mm512_loadu_si512(b + k * bStride + n * lanesOf);
#pragma GCC unroll 6
        for (int r = 0; r < Rows; ++r) {
            const auto row = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * aStride + k]));
#pragma GCC unroll 4
            for (int n = 0; n < Vectors; ++n)
                sums[r][n] = _mm512_dpbf16_ps(sums[r][n], row, column[n]);
        }
    }
    const __m512 scale = _mm512_set1_ps(factor);
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n)
            _mm512_storeu_ps(c + r * cStride + n * lanesOf, AddToC ? sums[r][n] : _mm512_mul_ps(sums[r][n], scale));
}

template <int Vectors, bool AddToC>
WARPLIGHT_BF16 HWY_INLINE void multiplyPairRows(int64_t rows, const uint32_t* a, int64_t aStride, const uint32_t* b,
                                                int64_t bStride, int64_t depth, float* c, int64_t cStride,
                                                float factor) {
    switch (rows) {
    case 6:
        return multiplyPairs<6, Vectors, AddToC>(a, aStride, b, bStride, depth, c, cStride, factor);
    case 5:
        return multiplyPairs<5, Vectors, AddToC>(a, aStride, b, bStride, depth, c, cStride, factor);
    case 4:
        return multiplyPairs<4, Vectors, AddToC>(a, aStride, b, bStride, depth, c, cStride, factor);
    case 3:
        return multiplyPairs<3, Vectors, AddToC>(a, aStride, b, bStride, depth, c, cStride, factor);
    case 2:
        return multiplyPairs<2, Vectors, AddToC>(a, aStride, b, bStride, depth, c, cStride, factor);
    default:
        return multiplyPairs<1, Vectors, AddToC>(a, aStride, b, bStride, depth, c, cStride, factor);
    }
}

WARPLIGHT_BF16 inline void packKeysBf16(const float* k, int64_t keys, int64_t headDim, uint32_t* panels) {
    constexpr int64_t mostPairs = 256;             // headDim 512
    alignas(64) float rows[blockKeys * mostPairs]; // pairs are moved as if they were floats
    const int64_t pairs = (headDim + 1) / 2;
    for (int64_t j = 0; j < keys; ++j)
        pairsOfRow(k + j * headDim, headDim, reinterpret_cast<uint32_t*>(rows + j * pairs));
    packKeys(rows, keys, pairs, reinterpret_cast<float*>(panels));
}

WARPLIGHT_BF16 inline void packValuesBf16(const float* v, int64_t keys, int64_t headDim, int64_t stride,
                                          uint32_t* pairs) {
    for (int64_t j = 0; j < keys; j += 2)
        for (int64_t c = 0; c < stride; c += lanesOf) {
            const auto here = static_cast<__mmask16>((1u << std::clamp<int64_t>(headDim - c, 0, 16)) - 1);
            const float* row = v + j * headDim + c;
            const auto even = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(here, row));
            const auto odd =
                (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(j + 1 < keys ? here : __mmask16{0}, row + headDim));
            _mm512_storeu_si512(
                pairs + j / 2 * stride + c,
                _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16)));
        }
}

WARPLIGHT_BF16 inline void accumulatePairs(const uint32_t* p, int64_t rows, const uint32_t* v, int64_t vStride,
                                           int64_t pairs, float* o, int64_t columns) {
    int64_t c = 0;
    for (; c + panelKeys <= columns; c += panelKeys)
        multiplyPairRows<panelVectors, true>(rows, p, blockKeys / 2, v + c, vStride, pairs, o + c, columns, 1);
    for (; c < columns; c += lanesOf)
        multiplyPairRows<1, true>(rows, p, blockKeys / 2, v + c, vStride, pairs, o + c, columns, 1);
}

/// accumulateSeen on pairs. A row may see the even key of a pair alone: it gets a zero for the odd one.
WARPLIGHT_BF16 inline void accumulatePairsSeen(const uint32_t* p, int64_t rows, const uint32_t* v, int64_t vStride,
                                               int64_t keys, int64_t firstSeen, float* o, int64_t columns) {
    constexpr int64_t mostColumns = 512;
    const int64_t seenByAll = std::clamp<int64_t>(firstSeen / 2, 0, (keys + 1) / 2);
    accumulatePairs(p, rows, v, vStride, seenByAll, o, columns);
    for (int64_t pair = seenByAll; 2 * pair < keys; ++pair) {
        const int64_t half = 2 * pair + 1 - firstSeen; // the row that sees half of the pair; those below see both
        if (half >= 0 && half < rows) {
            uint32_t even[mostColumns];
            for (int64_t c = 0; c < columns; ++c)
                even[c] = v[pair * vStride + c] & 0xffff;
            accumulatePairs(p + half * blockKeys / 2 + pair, 1, even, vStride, 1, o + half * columns, columns);
        }
        if (half + 1 < rows)
            accumulatePairs(p + (half + 1) * blockKeys / 2 + pair, rows - half - 1, v + pair * vStride, vStride, 1,
                            o + (half + 1) * columns, columns);
    }
}

/// flashBlock on pairs: scores by vdpbf16ps, softmax in f32, P rounded to bf16 for the product with V.
WARPLIGHT_BF16 inline void flashBlockBf16(const BlockArgs& args, const RowState& state) {
    HWY_ALIGN float s[stripRows * blockKeys];
    HWY_ALIGN uint32_t p[stripRows * blockKeys / 2];
    const int64_t pairs = (args.headDim + 1) / 2, columns = state.outputStride;
    const auto *keys = reinterpret_cast<const uint32_t*>(args.packedKeys),
               *values = reinterpret_cast<const uint32_t*>(args.values),
               *query = reinterpret_cast<const uint32_t*>(state.query);
    for (int64_t begin = 0; begin < args.rows; begin += stripRows) {
        const int64_t rows = std::min(stripRows, args.rows - begin);
        const int64_t visible = std::clamp<int64_t>(args.firstHidden + begin + rows - 1, 0, args.keys);
        if (visible == 0)
            continue;
        for (int64_t key = 0; key < visible; key += panelKeys)
            multiplyPairRows<panelVectors, false>(rows, query + begin * pairs, pairs, keys + key * pairs, panelKeys,
                                                  pairs, s + key, blockKeys, args.scale2);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t row = begin + r;
            float* scoresOfRow = s + r * blockKeys;
            const int64_t seen = std::clamp<int64_t>(args.firstHidden + row, 0, visible);
            std::fill(scoresOfRow + seen, scoresOfRow + blockKeys, minusInfinity);
            softmaxInStrip(scoresOfRow, args.lazyThreshold, state.max[row], state.sum + row * lanesOf,
                           state.output + row * columns, columns);
            pairsOfRow(scoresOfRow, blockKeys, p + r * blockKeys / 2);
        }
        accumulatePairsSeen(p, rows, values, args.valueStride, visible, args.firstHidden + begin,
                            state.output + begin * columns, columns);
    }
}

inline const Bf16Kernels* bf16Kernels() {
    static const Bf16Kernels kernels{pairsOfRow, packKeysBf16, packValuesBf16, flashBlockBf16};
    return __builtin_cpu_supports("avx512bf16") ? &kernels : nullptr;
}
#pragma GCC diagnostic pop
#else
inline const Bf16Kernels* bf16Kernels() { return nullptr; }
#endif
} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
