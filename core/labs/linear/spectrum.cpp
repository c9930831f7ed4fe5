// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/spectrum.h"

#include <cmath>
#include <numeric>

namespace warplight::labs::linear {

double effectiveRank(std::span<const double> values) {
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    if (!(sum > 0))
        return 0;
    double entropy = 0;
    for (const double value : values)
        if (value > 0)
            entropy -= value / sum * std::log(value / sum);
    return std::exp(entropy);
}

double norm(std::span<const double> values) {
    return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

} // namespace warplight::labs::linear
