// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/labs/linear/method_map.h"
#include "core/sparse/pattern.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace warplight::labs::linear {

/// The softmax over the keys that a pattern keeps. Held is a bit for each pair; weights are made where they are looked
/// at, and blocks without pairs cost nothing.
class PatternMap : public MethodMap {
  public:
    /// `exact`, its Q and K and `lse` have to outlive the map. A row of which no weight is kept has no values.
    PatternMap(const cpu::MapProblem& exact, std::span<const float> lse, const sparse::Pattern& pattern,
               const std::atomic<bool>* cancel);

    double at(int64_t row, int64_t column) const override;
    void means(int64_t rowBegin, int64_t columnBegin, int64_t rows, int64_t columns, int64_t cell, std::span<float> out,
               const std::atomic<bool>* cancel) const override;

    /// Of each row, the share of the softmax's weight that lies on the keys that are kept: [rows].
    const std::vector<double>& kept() const { return mass; }
    int64_t pairs() const; ///< that are kept
    static int64_t heldBytes(int64_t rows, int64_t columns);

  private:
    const uint64_t* bitsOf(int64_t row) const { return bits.data() + row * words; }
    bool sees(int64_t row, int64_t column) const;
    /// Calls take(row, column, P) for each pair of a block of cells that is kept.
    template <class Take>
    void eachPair(int64_t rowBegin, int64_t rowEnd, int64_t columnBegin, int64_t columnEnd,
                  const std::atomic<bool>* cancel, const Take& take) const;

    cpu::MapProblem exact;
    std::span<const float> lse;
    int64_t words; ///< of a row's bits
    std::vector<uint64_t> bits;
    std::vector<double> mass;
};

} // namespace warplight::labs::linear
