// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/exponent_shares.h"

#include "core/precision/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <utility>

namespace warplight::labs::precision {

using namespace lab;
using number::FloatFormat;

lab::Series exponentShares(const ExponentCounts& c, int scale) {
    constexpr double left = -60, right = 40;
    Series series;
    series.x.title = scale == 0 ? "exponent: ⌊log₂ |x|⌋" : fmt::format("exponent of x · 2^{}", scale);
    series.x.minimum = left;
    series.x.maximum = right;
    series.y.title = "share";
    series.y.unit = "%";
    Curve bars;
    bars.id = "exponents", bars.label = c.label, bars.colourKey = "value";
    bars.provenance = Provenance::Counted;
    bars.style = Curve::Style::Bars;
    double most = 0;
    const auto some = [](int64_t count) { return count > 0; };
    const auto first = std::find_if(c.counts.begin(), c.counts.end(), some);
    const auto last = std::find_if(c.counts.rbegin(), c.counts.rend(), some).base();
    for (auto count = first; count < last; ++count) {
        bars.x.push_back(static_cast<double>(c.lowest + scale + (count - c.counts.begin())));
        bars.y.push_back(100 * static_cast<double>(*count) / static_cast<double>(std::max<int64_t>(c.numbers, 1)));
        most = std::max(most, bars.y.back());
    }
    series.curves.push_back(std::move(bars));
    double y = 1.08 * most; // above the bars
    for (const FloatFormat* f : warplight::precision::judgedFormats()) {
        const int least = f->lowestExponent() - f->fractionBits, largest = std::ilogb(f->largest());
        Curve range;
        range.id = range.colourKey = std::string(f->id);
        range.label = fmt::format("{}, 2^{} to 2^{}", f->title, least, largest);
        range.provenance = Provenance::Reference;
        range.style = Curve::Style::Line;
        range.x = {std::max<double>(least, left), std::min<double>(largest, right)};
        range.y = {y, y};
        y += 0.08 * most;
        series.curves.push_back(std::move(range));
    }
    return series;
}

} // namespace warplight::labs::precision
