// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/float_format.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::precision {

/// What a format makes of a value.
struct Stored {
    enum class State { Exact, Rounded, Subnormal, Flushed, Saturated, Overflowed, NotANumber };
    const number::FloatFormat* format = nullptr;
    uint64_t code = 0;
    double value = 0;                         ///< that the code stands for
    double relativeError = 0;                 ///< |value − given| / |given|; NaN where nothing finite is left
    double below = 0, above = 0, spacing = 0; ///< neighbours of the stored value, NaN where there is none
    State state = State::Exact;

    uint64_t sign() const;
    uint64_t exponent() const;
    uint64_t fraction() const;
    std::string bits() const; ///< "0 01111 0000000001": sign, exponent, fraction
};

Stored stored(double given, const number::FloatFormat& format,
              number::Rounding rounding = number::Rounding::NearestEven,
              number::Beyond beyond = number::Beyond::Infinity, double dice = 0);

/// What became of a value that a format keeps as `kept`.
Stored::State stateOf(double given, double kept, const number::FloatFormat& format);

/// "exact", "rounded", "subnormal", "flushed to 0", "saturated", "overflowed", "NaN".
std::string nameOf(Stored::State state);

/// A number as people write it: "0.1", "1e-8", "0x1p-24", "inf", "nan". Throws InputError that begins with `what`.
double numberFrom(const std::string& text, const std::string& what);

/// "nearest", "zero", "up", "down", "stochastic", as written on the command line. Throws InputError.
number::Rounding roundingByName(const std::string& name);
const std::vector<std::string>& roundingNames();

} // namespace warplight::precision
