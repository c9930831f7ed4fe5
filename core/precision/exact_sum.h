// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>

namespace warplight::precision {

/// A sum without any rounding, of up to 2^30 numbers: f32 numbers and products of two of them. A fixed-point number
/// that is wide enough for all of these (Kulisch, "Computer Arithmetic and Validity", 2013, chapter 8).
class ExactSum {
  public:
    void add(double x);                      ///< finite; a product of two f32 numbers is exact in f64
    double value() const;                    ///< the sum, rounded once
    double differenceFrom(double sum) const; ///< sum − this one, rounded once: the error of `sum`

  private:
    static constexpr int lowest = -352; ///< exponent of the last bit: f64 writes 2^-298 with 52 bits behind it
    std::array<int64_t, 20> digits{};   ///< of 32 bits, least first; carries are done when it is read
};

} // namespace warplight::precision
