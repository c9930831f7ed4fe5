// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/attention_theory.h"

#include "core/labs/attention/attention_operator.h"
#include "core/workbench/page.h"
#include "gpu/ops/attention_traffic.h"

#include <cmath>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using namespace lab;
using workbench::curveOf;
using workbench::Problem;
using workbench::Seen;

constexpr double kibibyte = 1024;

bool againstTile(const Settings& settings) { return settings.text("against") == "tile"; }

double standardBytes(const Problem& problem) { return gpu::theoryAt(gpuShape(problem), 4, kibibyte).standard; }

/// Tiles as large as the on-chip memory allows: the papers' formulas.
void putTheory(const Settings& settings, const Problem& problem, Run& run) {
    const gpu::AttentionShape shape = gpuShape(problem);
    const double onChip = static_cast<double>(settings.integer("onChip")) * kibibyte;
    Series series;
    series.x = workbench::axisOf("on-chip memory for a tile", "B", Scale::Log2);
    series.y = workbench::axisOf("bytes", "B", Scale::Log10);
    const std::pair<std::string, double gpu::OnChipTheory::*> kinds[] = {
        {"standard", &gpu::OnChipTheory::standard},
        {"flash1", &gpu::OnChipTheory::flash1},
        {"flash2", &gpu::OnChipTheory::flash2},
        {"compulsory", &gpu::OnChipTheory::compulsory}};
    for (const auto& [name, member] : kinds) {
        Curve c = curveOf(name, Provenance::Modelled, Curve::Style::Line);
        if (name == "compulsory")
            c.colourKey.clear();
        for (double size = 2 * kibibyte; size <= 256 * kibibyte; size *= std::sqrt(std::sqrt(2.0))) {
            c.x.push_back(size);
            c.y.push_back(gpu::theoryAt(shape, 4, size).*member);
        }
        series.curves.push_back(std::move(c));
        if (name == "compulsory")
            continue;
        Curve here = curveOf(name + ".here", Provenance::Modelled, Curve::Style::Points);
        here.label.clear();
        here.colourKey = name;
        here.x = {onChip};
        here.y = {gpu::theoryAt(shape, 4, onChip).*member};
        series.curves.push_back(std::move(here));
    }
    run.put(
        {"onChip", "If tiles filled the chip",
         fmt::format("N = {}, headDim {}, f32; circles: {:.0f} KiB", shape.queryLen, shape.headDim, onChip / kibibyte),
         "**Modelled** by the papers' formulas (Dao et al. 2022, theorem 2; Dao 2023) with tiles of M / (4·d) "
         "rows. Below (3·d + 4) / 4 keys a tile, FlashAttention-1's order moves more than standard attention: it "
         "rewrites O for every tile of keys.",
         Figure::Place::Support, std::move(series)});
    const double keys = (3 * static_cast<double>(shape.headDim) + 4) / 4;
    Metric crossover;
    crossover.value = 4 * 4 * static_cast<double>(shape.headDim) * (std::floor(keys) + 1);
    crossover.unit = "B";
    crossover.caption =
        fmt::format("on chip from which flash1's order beats standard: tiles of {:.0f} keys", std::floor(keys) + 1);
    crossover.provenance = Provenance::Modelled;
    run.put(workbench::headline("crossover", "Crossover",
                                "4·d·Bc elements of four bytes for the smallest tile with Bc > (3·d + 4) / 4.",
                                crossover));
}

/// Standard attention by the papers' formula, where no kernel of the plot stands for it.
void putStandard(const std::vector<Seen>& points, Run& run) {
    Curve standard = curveOf("standard", Provenance::Reference, Curve::Style::Line);
    standard.label = "standard, 4·(4Nd + 4N²)";
    standard.colourKey = "tiled";
    for (const Seen& p : points)
        if (standard.x.empty() || standard.x.back() != p.x) {
            standard.x.push_back(p.x);
            standard.y.push_back(standardBytes(p.problem));
        }
    run.appendPoint("bytes", standard);
}

/// From which tile on flash1's order moves less than standard attention, as counted.
void putCountedCrossover(const std::vector<Seen>& points, Run& run) {
    Metric m;
    m.caption = "no tile of flash1 moves less than standard attention";
    for (const Seen& p : points)
        if (p.implementation == "flash1" && !m.value && gpu::totalBytes(p.counted) < standardBytes(p.problem)) {
            m.value = p.x;
            m.caption = fmt::format("keys a tile: the first with which flash1 moves less than standard, N = {}",
                                    p.problem["queryLen"]);
        }
    m.format = "{:.0f}";
    m.provenance = Provenance::Counted;
    run.put(workbench::headline(
        "countedCrossover", "Counted crossover",
        "The smallest tile of this run whose **counted** bytes are below 4·(4Nd + 4N²). The papers' formula says more "
        "than (3·d + 4) / 4 keys; the kernel's four threads a row each read the statistics, which makes it "
        "(3·d + 11) / 4.",
        m));
}

} // namespace

workbench::TrafficExtras trafficTheory() {
    workbench::TrafficExtras extras;
    Parameter onChip =
        Parameter::integer("onChip", "On-chip memory", 64, 4, 256,
                           "KiB that a tile may fill: for the theory alone, the kernels have tiles of their own.");
    onChip.unit = "KiB";
    onChip.powersOfTwo = true;
    extras.parameters = {onChip};
    extras.begin = putTheory;
    extras.end = [](const Settings& settings, const std::vector<Seen>& points, Run& run) {
        if (!againstTile(settings) || points.empty())
            return;
        putStandard(points, run);
        putCountedCrossover(points, run);
    };
    return extras;
}

} // namespace warplight::labs::attention
