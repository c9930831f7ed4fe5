// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/storage_figure.h"

#include "core/precision/granularity.h"

#include <fmt/format.h>
#include <map>
#include <utility>

namespace warplight::labs::precision {

void putStorageCosts(lab::Run& run, const std::string& tensor, std::span<const float> numbers, int64_t rowLength,
                     int64_t whole) {
    using namespace lab;
    if (numbers.empty())
        return;
    Series series;
    series.x = {"bits a number, scales included", "", Scale::Linear, 3.5, 16.5, {}, false};
    series.y = {"relative error", "", Scale::Log10, {}, {}, {}, false};
    const std::map<std::string, std::string> colours{{"no scale", "f16"},
                                                     {"e4m3 with f32 scales", "e4m3"},
                                                     {"e2m1 with f32 scales", "e2m1"},
                                                     {"microscaling", "e5m2"}};
    for (const warplight::precision::StorageCost& cost :
         warplight::precision::storageCosts(numbers, rowLength, run.cancelToken())) {
        if (series.curves.empty() || series.curves.back().id != cost.family) {
            Curve curve;
            curve.id = curve.label = cost.family;
            curve.colourKey = colours.at(cost.family);
            curve.provenance = Provenance::Counted;
            curve.style = cost.family.ends_with("scales") ? Curve::Style::LineAndPoints : Curve::Style::Points;
            series.curves.push_back(std::move(curve));
        }
        if (cost.error <= 0) // stored exactly: no point on this axis
            continue;
        Curve& curve = series.curves.back();
        curve.x.push_back(cost.bits);
        curve.y.push_back(cost.error);
        curve.pointText.push_back(cost.title);
    }
    run.put({"costs", "Error against bytes",
             numbers.size() < static_cast<size_t>(whole)
                 ? fmt::format("{}, its first {} numbers", tensor, numbers.size())
                 : tensor,
             "How far a tensor is off, √(Σ (x − stored)² / Σ x²), in each format, against the bits that a number "
             "takes with its share of the scales: an f32 scale for the tensor, for each row, for each 128 and each 32 "
             "numbers (from left to right along a line), and the block formats MXFP8, MXFP6, MXFP4 (a power of two for "
             "32 numbers) and NVFP4 (an e4m3 for 16). What lies beyond a format becomes its largest number. "
             "**Counted** over the numbers that are stored so.",
             Figure::Place::Main, std::move(series)});
}

} // namespace warplight::labs::precision
