// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/regimes.h"

#include <algorithm>
#include <cmath>

namespace warplight::labs::allreduce {

std::optional<LatencyBandwidth> fitLatencyBandwidth(const std::vector<RegimePoint>& points) {
    // Minimise the sum of (a / t + b n / t - 1)²: a line through the origin's neighbourhood in weighted terms.
    double aa = 0, ab = 0, bb = 0, a1 = 0, b1 = 0, least = INFINITY, most = 0;
    for (const RegimePoint& p : points) {
        const double u = 1 / p.seconds, v = p.bytes / p.seconds;
        aa += u * u;
        ab += u * v;
        bb += v * v;
        a1 += u;
        b1 += v;
        least = std::min(least, p.bytes);
        most = std::max(most, p.bytes);
    }
    if (points.size() < 2 || least == most)
        return std::nullopt;
    const double determinant = aa * bb - ab * ab;
    LatencyBandwidth fit{(a1 * bb - b1 * ab) / determinant, (b1 * aa - a1 * ab) / determinant, 0};
    if (fit.latency < 0) { // the boundary is the best then: one unknown is left
        fit.latency = 0;
        fit.secondsPerByte = b1 / bb;
    }
    if (!(fit.secondsPerByte > 0))
        return std::nullopt;
    double squares = 0;
    for (const RegimePoint& p : points)
        squares += std::pow(fit.at(p.bytes) / p.seconds - 1, 2);
    fit.typicalMiss = std::sqrt(squares / static_cast<double>(points.size()));
    return fit;
}

} // namespace warplight::labs::allreduce
