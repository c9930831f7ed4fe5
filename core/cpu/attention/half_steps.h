// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention_map.h"
#include "gpu/number/sums.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::cpu {

/// How attention is computed in few bits: what tensors are stored as, what holds the sums, and two remedies.
struct HalfRecipe {
    /// E4M3: Q, K and V by a scale for each tensor, with which its largest number becomes 448, an infinity NaN; P times
    /// 256, tile by tile of keys with a running maximum, beyond 448 NaN; S and O stay f32.
    enum class Stored { F16, BF16, E4M3 };
    Stored stored = Stored::F16;
    number::Sums sums = number::Sums::Single; ///< of bf16 and E4M3 always single
    bool scaleFirst = false;     ///< Q is scaled before the product instead of the sum behind it; of E4M3 never
    bool subtractMaximum = true; ///< before the exponentials
    bool operator==(const HalfRecipe&) const = default;
};

/// The steps of a score and of a row, in the order in which they are done.
enum class HalfStep { None, Input, Product, Sum, Store, Exponential, RowSum, Division, OutputSum, OutputStore };
std::string_view nameOf(HalfStep step); ///< "product", "accumulation", "store of S", ...; None: "none"

/// What made a number infinite or NaN first.
struct HalfOrigin {
    HalfStep step = HalfStep::None;
    int64_t key = -1; ///< of a step of one score
    int64_t at = -1;  ///< the feature (of a score) or the key (of an output) at which the sum left the range
};

struct HalfScore {
    float stored = 0; ///< S
    double exact = 0; ///< in f64, of the inputs as stored
    HalfOrigin origin;
};

/// Attention of one head step by step, with the numbers that gpu/kernels/attention_half.cu and attention_f8.cu have:
/// the scores to the bit, what follows but for the exponentials' last bits. Numbers become infinite where its numbers
/// do.
class HalfSteps {
  public:
    /// `v` [keyLen, headDim]; null: rows end with the weights. Q, K and V are read once. Throws Cancelled.
    HalfSteps(const MapProblem& problem, const float* v, const HalfRecipe& recipe, const std::atomic<bool>* cancel);

    /// One query's way through all steps.
    struct Row {
        std::vector<float> scores;    ///< S as it is stored, [keyLen]; -inf behind the mask
        std::vector<float> weights;   ///< P as it is stored, [keyLen]; of E4M3 as it is meant in the end
        std::vector<float> output;    ///< O as it is stored, [headDim]
        std::vector<HalfOrigin> dead; ///< scores that are infinite or NaN, by key
        HalfOrigin origin;            ///< of the row: what came first
        float sum = 0, lse = 0;
    };
    Row row(int64_t query) const;
    HalfScore score(int64_t query, int64_t key) const;
    int64_t visible(int64_t query) const;

    /// |Σ q·k| of the keys that a query sees, in f32 and of the inputs as stored, times sumOfScore(): what meets
    /// limit().
    std::vector<float> sizes(int64_t query) const;
    /// The sum of one score after each product: [headDim], as the kernel holds it.
    std::vector<float> partialSums(int64_t query, int64_t key) const;
    /// The same in f64, of the inputs as stored.
    std::vector<double> exactPartialSums(int64_t query, int64_t key) const;
    /// The largest finite number of what S is stored as.
    double limit() const;
    /// What a sum is multiplied by before it meets limit(): a sum in f16 meets it unscaled, one in f32 when it is
    /// stored.
    double sumOfScore() const;

    /// |S| of a rectangle, out[r, c] the largest of cell × cell scores from (rowBegin + r·cell, colBegin + c·cell) on;
    /// infinite if one of them is not finite, NaN where none is seen. Where cell > 1 the size of scores in f16 is that
    /// of their sum in f32, at most headDim · 16 off. Whether one is finite is exact always.
    void tile(int64_t rowBegin, int64_t colBegin, int64_t rows, int64_t cols, int64_t cell, std::span<float> out,
              int threads, const std::atomic<bool>* cancel) const;

  private:
    float stored(float x) const; ///< rounded to what tensors are stored as; E4M3: f32
    float storedScore(float sum) const;
    HalfStep stepOf(int64_t query, int64_t key, int32_t first) const;
    const float* keyBlock(int64_t key) const { return keys.data() + key / block * block * problem.headDim; }
    void weigh(Row& row) const;
    void addValues(int64_t query, Row& row) const;
    /// Of E4M3: weights and output of a row whose scores are there.
    void finishInTiles(int64_t query, Row& row) const;
    static float scaleToE4M3(const float* x, int64_t count);
    static float scaledToE4M3(float x, float scale);
    static float scoreFactor(float scale, float scaleQ, float scaleK);
    void pooled(int64_t query, int64_t keyBegin, int64_t keyEnd, int64_t cell, float* out) const;

    static constexpr int64_t block = 64;
    MapProblem problem; ///< its pointers are not used
    HalfRecipe recipe;
    std::vector<float> queries, keys,
        values;              ///< as stored; keys in blocks of [headDim, 64], values [keyLen, valueStride]
    int64_t valueStride = 0; ///< 0: no values
    float scoreScale = 1, outputScale = 1;
};

} // namespace warplight::cpu
