// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// Keys of one block: the strip of scores that lives between Q Kᵀ and P V is six rows of this many floats, 1.5 KiB.
constexpr int64_t blockKeys = 64;
/// Rows of a strip: with four vectors of 16 columns their sums fill 24 of AVX-512's 32 registers.
constexpr int64_t stripRows = 6;

/// The running state of some query rows in units of log2: score2 = scale · log2(e) · q·k.
struct RowState {
    float* query;  ///< [rows, headDim] already multiplied by scale · log2(e)
    float* output; ///< [rows, outputStride] unnormalised
    float* max;    ///< [rows] the maximum that scores are taken against; -inf before the first key
    float* sum;    ///< [rows, lanes] Σ 2^(score2 - max), one partial sum a lane
    int64_t outputStride;
};

/// One block of at most blockKeys keys against some rows.
struct BlockArgs {
    const float* packedKeys; ///< see Kernels::packKeys
    const float* values;     ///< [keys, valueStride]
    int64_t valueStride;
    int64_t keys;
    int64_t rows;
    int64_t headDim;
    /// Row r of the block sees its keys 0 .. firstHidden + r - 1 only (causal); `keys` or more = all.
    int64_t firstHidden;
    /// Rescale only when a score exceeds the maximum in use by more than this many powers of two. 0 keeps the true
    /// running maximum. FlashAttention-4 uses 8; f32 has room for 16: P stays below 2^16, sums below 2^33.
    float lazyThreshold;
    float scale2 = 1;            ///< Bf16Kernels alone: scale · log2(e), applied to the scores instead of the queries
    float* trueMax = nullptr;    ///< [rows] if set: largest score2 of this block per row (for the observer)
    float* seenScores = nullptr; ///< [rows, blockKeys] if set: the scores as they are exponentiated (for the observer)
};

/// The same block on bf16 inputs, two numbers in 32 bits. `query`, `packedKeys` and `values` point to such pairs:
/// query [rows, ⌈headDim/2⌉] without any scale, packedKeys as below with ⌈headDim/2⌉ for headDim, values
/// [⌈keys/2⌉, valueStride] where a pair holds a column of two neighbouring keys.
struct Bf16Kernels {
    void (*packRow)(const float* x, int64_t count, uint32_t* pairs); ///< rounds to nearest even; odd ends get a zero
    void (*packKeys)(const float* k, int64_t keys, int64_t headDim, uint32_t* panels);
    void (*packValues)(const float* v, int64_t keys, int64_t headDim, int64_t stride, uint32_t* pairs);
    void (*flashBlock)(const BlockArgs& args, const RowState& state);
};

/// Building blocks of every rung, compiled once per instruction set.
struct Kernels {
    int64_t lanes;      ///< floats a vector
    int64_t panelWidth; ///< keys a panel of packed keys: a divisor of blockKeys

    /// Transposes `keys` (≤ blockKeys) rows k [keys, headDim] into panels [blockKeys /
    /// panelWidth][headDim][panelWidth]; missing keys become zeros.
    void (*packKeys)(const float* k, int64_t keys, int64_t headDim, float* panels);
    /// score2 strip: s [rows ≤ stripRows, blockKeys] = q kᵀ for the panels that hold the first `keys` keys.
    void (*scores)(const float* q, int64_t rows, int64_t headDim, const float* panels, int64_t keys, float* s,
                   int64_t sStride);
    /// o [rows ≤ stripRows, columns] += p [rows, keys] v [keys, columns]; columns a multiple of `lanes`. Row r sees the
    /// first firstSeen + r keys only (causal); `keys` or more = all.
    void (*accumulate)(const float* p, int64_t pStride, int64_t rows, const float* v, int64_t vStride, int64_t keys,
                       int64_t firstSeen, float* o, int64_t oStride, int64_t columns);
    /// Scores, online softmax and output of one block, strip by strip: S never leaves the first-level cache.
    void (*flashBlock)(const BlockArgs& args, const RowState& state);
    /// p[j] = 2^(s[j] - max) for count elements; returns the maximum of s and the sum of p. Three passes (safe
    /// softmax). Weights of -inf are 0, also where all are.
    void (*softmaxRow)(const float* s, float* p, int64_t count, float& max, float& sum);
    /// One query against all its keys, one key at a time (online softmax, 2018): o [headDim] unnormalised.
    void (*onlineRow)(const float* q, const float* k, const float* v, int64_t keys, int64_t headDim, float* o,
                      float& max, float& sum);
    /// One block of scores s [blockKeys] (-inf where masked) into a row's running maximum, sums [lanes] of p = 2^(s -
    /// max) and weighted sums [lanes] of p·(s - max): what log-sum-exp and entropy need.
    void (*statisticsBlock)(const float* s, float& max, float* sums, float* weighted);
    /// p[j] = 2^(s[j] - shift) for blockKeys scores, none of them NaN, also added to ofKey[j]; returns their
    /// sum, and their maximum in `largest`.
    float (*probabilitiesBlock)(const float* s, float shift, float* p, float* ofKey, float& largest);
    /// y[i] = x[i] rounded to bf16, to nearest even; a NaN stays one.
    void (*roundToBf16)(const float* x, float* y, int64_t count);
    /// y[i] = 2^x[i], for tests of its error.
    void (*exp2)(const float* x, float* y, int64_t count);
    const Bf16Kernels* bf16; ///< null where the CPU has no bf16 dot product
};

/// The best for this machine, or what useTarget() chose.
const Kernels& kernels();

} // namespace warplight::cpu
