// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/gradient_census.h"

#include "core/labs/precision/exponent_shares.h"
#include "core/precision/loss_scaler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace warplight::labs::precision {
namespace {

using namespace lab;

constexpr int lowest = -56, exponents = 76; ///< what is beyond stands in the first and the last column
constexpr int f16Highest = 15;              ///< exponent of the largest finite number of FP16

/// "1 q" of "h.1.attn.q": axes have room for little.
std::string shortName(const std::string& name) {
    if (!name.starts_with("h."))
        return name;
    const size_t dot = name.find('.', 2);
    const std::string what = name.substr(dot + 1);
    return name.substr(2, dot - 2) + " " + (what == "attn.out" ? "attn" : what.substr(what.find('.') + 1));
}

std::string atStep(int64_t step, int power) { return fmt::format("step {}, loss scale 2^{}", step, power); }

} // namespace

double GradientCensus::Losses::percent(int64_t of) const {
    return 100 * static_cast<double>(of) / static_cast<double>(std::max<int64_t>(numbers, 1));
}

void GradientCensus::add(const model::NamedView& view) {
    Layer layer{shortName(std::string(view.name)), std::vector<int64_t>(exponents), {}};
    Losses& losses = layer.losses;
    const double scale = std::ldexp(1.0, power);
    for (const float g : view.values) {
        const double size = std::fabs(static_cast<double>(g)) * scale;
        ++losses.numbers;
        if (size == 0)
            continue;
        ++layer.exponents[static_cast<size_t>(std::clamp(std::ilogb(size), lowest, lowest + exponents - 1) - lowest)];
        losses.flushed += size <= 0x1p-25;
        losses.subnormal += size > 0x1p-25 && size < 0x1p-14;
        losses.infinite += size >= warplight::precision::f16Overflow;
        losses.largest = std::max(losses.largest, size);
    }
    layers.push_back(std::move(layer));
}

GradientCensus::Losses GradientCensus::all() const {
    Losses sum;
    for (const Layer& layer : layers) {
        const Losses& l = layer.losses;
        sum.numbers += l.numbers, sum.flushed += l.flushed, sum.subnormal += l.subnormal, sum.infinite += l.infinite;
        sum.largest = std::max(sum.largest, l.largest);
    }
    return sum;
}

Figure GradientCensus::heatmap(int64_t step) const {
    Heatmap map;
    map.rows = static_cast<int64_t>(layers.size());
    map.cols = exponents;
    map.x.title = "exponent: |g| · scale is 2 to the";
    for (int e = 0; e < exponents; ++e)
        map.x.labels.push_back(std::to_string(lowest + e));
    map.y.title = "gradient of";
    map.valueTitle = "share of the layer";
    map.valueUnit = "%";
    map.valueMinimum = 0;
    map.valueMaximum = 30;
    for (const Layer& layer : layers) {
        int64_t all = 0;
        for (const int64_t count : layer.exponents)
            all += count;
        map.y.labels.push_back(layer.name);
        for (const int64_t count : layer.exponents)
            map.cells.push_back(count == 0 ? std::numeric_limits<float>::quiet_NaN()
                                           : 100 * static_cast<float>(count) / static_cast<float>(all));
    }
    return {"exponents",
            "Exponents by layer",
            atStep(step, power),
            "Exponents of the gradients of every layer's output in this step, **counted**, as the loss scale moves "
            "them; in the order of the backward pass. FP16 keeps all 11 bits from −14 to 15, fewer down to −24, and "
            "nothing below −25; from 16 on it is infinite. The first and the last column hold what lies beyond as "
            "well.",
            Figure::Place::Main,
            std::move(map)};
}

Figure GradientCensus::histogram(int64_t step) const {
    std::vector<int64_t> counts(exponents);
    for (const Layer& layer : layers)
        for (size_t e = 0; e < counts.size(); ++e)
            counts[e] += layer.exponents[e];
    Series series = exponentShares({"gradients, scaled", counts, lowest, all().numbers}, 0);
    series.x.minimum = lowest - 1;
    series.x.maximum = lowest + exponents;
    return {"together",
            "All layers, and what formats hold",
            atStep(step, power),
            "The rows of the map in one (**counted**), and above them how far each format reaches, subnormal numbers "
            "included (**reference**; BF16 reaches beyond the picture). What lies left of a line is flushed to zero "
            "there, what lies right of it overflows.",
            Figure::Place::Support,
            std::move(series)};
}

Figure GradientCensus::table(int64_t step) const {
    Table table;
    table.columns = {{"layer", "Gradient of", "", false, {}, ""},
                     {"numbers", "Numbers", "", true, Provenance::Counted, ""},
                     {"flushed", "Flushed, %", "", true, Provenance::Counted, "{:.2f}"},
                     {"subnormal", "Subnormal, %", "", true, Provenance::Counted, "{:.2f}"},
                     {"infinite", "Infinite, %", "", true, Provenance::Counted, "{:.2f}"},
                     {"largest", "Largest", "", true, Provenance::Counted, "{:.3g}"},
                     {"room", "Room above", "bits", true, Provenance::Counted, ""}};
    for (const Layer& layer : layers) {
        const Losses& l = layer.losses;
        const bool some = l.largest > 0 && std::isfinite(l.largest);
        table.rows.push_back({layer.name, l.numbers, l.percent(l.flushed), l.percent(l.subnormal),
                              l.percent(l.infinite), l.largest,
                              some ? Table::Cell(int64_t{f16Highest - std::ilogb(l.largest)}) : Table::Cell()});
    }
    return {"layers",
            "Layer by layer",
            atStep(step, power),
            "What FP16 makes of each layer's gradients in this step. **Room above**: how often the loss scale may "
            "double before this layer's largest gradient is infinite; below 0, how often it has to halve.",
            Figure::Place::Support,
            std::move(table)};
}

} // namespace warplight::labs::precision
