// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/float_format.h"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::precision {

/// The formats that tensors are judged by: f16, bf16, e4m3, e5m2.
std::span<const number::FloatFormat* const> judgedFormats();

/// What would be lost of a tensor in one of them, at nearest rounding.
struct Loss {
    int64_t flushed = 0;    ///< not 0, and 0 there
    int64_t overflowed = 0; ///< finite, and infinite or NaN there
};

/// The numbers of a tensor, counted piece by piece.
class Statistics {
  public:
    /// `scale`: losses are those of the numbers times 2^scale; all else is of the numbers as they are.
    explicit Statistics(int scale = 0);
    void add(std::span<const float> values);
    void add(std::span<const double> values); ///< the same, none of them rounded to f32 first

    int64_t values() const { return count; }
    int64_t zeros() const { return zero; }
    int64_t nan() const { return nans; }
    int64_t infinite() const { return infinities; }
    int64_t finite() const { return count - nans - infinities; }
    /// Of finite numbers; NaN when there are none.
    double minimum() const { return finite() > 0 ? least : std::numeric_limits<double>::quiet_NaN(); }
    double maximum() const { return finite() > 0 ? most : std::numeric_limits<double>::quiet_NaN(); }
    double absoluteMaximum() const;
    /// How many finite numbers other than 0 have the exponent lowest() + i: ⌊log2 |x|⌋.
    std::span<const int64_t> exponents() const { return bins; }
    int lowest() const { return first; }
    /// The exponent below or at which `share` of these lie; nothing when there are none.
    std::optional<int> exponentPercentile(double share) const;
    /// By format, as judgedFormats() has them.
    std::span<const Loss> losses() const { return lost; }
    /// The largest power of two by which all finite numbers may be multiplied without overflow, as its exponent;
    /// nothing when there is nothing but zeros.
    std::optional<int> bestScale(const number::FloatFormat& format) const;

  private:
    template <class Number>
    void addAll(std::span<const Number> values);
    /// Makes room for the exponents of a type, subnormal ones too. Only what comes as f64 pays for its 2098.
    template <class Number>
    void reachExponentsOf();

    int64_t count = 0, zero = 0, nans = 0, infinities = 0;
    double least = std::numeric_limits<double>::infinity(), most = -std::numeric_limits<double>::infinity();
    std::vector<int64_t> bins;
    int first = 0; ///< exponent of the first bin
    std::array<Loss, 4> lost{};
    struct Limits {
        double flushedUpTo, overflowsFrom;
    };
    std::array<Limits, 4> limits;
};

} // namespace warplight::precision
