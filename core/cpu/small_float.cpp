// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/small_float.h"

#include "gpu/number/float_format.h"

#include <cmath>
#include <limits>

namespace warplight::cpu {

SmallFloat smallFloat(number::Format format) {
    constexpr int fractionOfFloat = 23;
    const number::FloatFormat& f = number::floatFormat(number::name(format));
    const auto largest = static_cast<float>(f.largest());
    const bool isByte = number::bytes(format) == 1, hasInfinity = f.specials == number::FloatFormat::Specials::Ieee;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    return {fractionOfFloat - f.fractionBits,
            static_cast<float>(f.leastNormal()),
            static_cast<float>(std::ldexp(1.5 * f.leastSubnormal(), fractionOfFloat)),
            largest,
            isByte ? largest : infinity,
            hasInfinity ? infinity : std::numeric_limits<float>::quiet_NaN()};
}

} // namespace warplight::cpu
