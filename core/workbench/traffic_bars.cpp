// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/traffic_bars.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <utility>

namespace warplight::workbench {
namespace {

using namespace lab;

/// A bar this many times as long as the next one would leave nothing of the others to see.
constexpr double outlier = 6;

/// Names under which tensors are shown, in the order of the operators, and what buffers there are besides.
std::vector<std::string> shownTensors(const OperatorList& operators, const std::vector<TrafficPoint>& points) {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) {
        if (std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(name);
    };
    for (const auto& op : operators)
        for (const TensorSpec& spec : op->tensors)
            add(spec.label());
    for (const TrafficPoint& p : points)
        for (const auto& [buffer, bytes] : p.seen.counted)
            if (!p.who.op->tensor(buffer))
                add(buffer);
    return names;
}

const std::string& labelOf(const Operator& op, const std::string& buffer) {
    const TensorSpec* spec = op.tensor(buffer);
    return spec ? spec->label() : buffer;
}

} // namespace

void putBars(const OperatorList& operators, std::vector<TrafficPoint> points, Run& run) {
    std::vector<double> sizes;
    for (const TrafficPoint& p : points)
        sizes.push_back(gpu::totalBytes(p.seen.counted));
    std::sort(sizes.begin(), sizes.end());
    std::string left;
    if (sizes.size() > 1 && sizes.back() > outlier * sizes[sizes.size() - 2])
        std::erase_if(points, [&](const TrafficPoint& p) {
            if (gpu::totalBytes(p.seen.counted) != sizes.back())
                return false;
            left = fmt::format("; {} is left out: {:.0f} times as much as the next", p.who.implementation->id,
                               sizes.back() / sizes[sizes.size() - 2]);
            return true;
        });
    Series series;
    series.y = axisOf("bytes", "B", Scale::Linear);
    series.y.minimum = 0;
    for (const TrafficPoint& p : points)
        series.x.labels.push_back(p.who.implementation->id);
    for (const std::string& tensor : shownTensors(operators, points)) {
        Curve c = curveOf(tensor, Provenance::Counted, Curve::Style::Bars);
        c.colourKey = "tensor." + tensor;
        double any = 0;
        for (size_t i = 0; i < points.size(); ++i) {
            double bytes = 0;
            for (const auto& [buffer, traffic] : points[i].seen.counted)
                bytes += labelOf(*points[i].who.op, buffer) == tensor ? traffic.total() : 0;
            c.x.push_back(static_cast<double>(i));
            c.y.push_back(bytes);
            any += bytes;
        }
        if (any > 0)
            series.curves.push_back(std::move(c));
    }
    std::string formats;
    for (const TrafficPoint& p : points)
        if (p.problem.format != number::Format::F32)
            formats += fmt::format(" {} works in {}.", p.who.implementation->id, number::name(p.problem.format));
    run.put({"bars", "Where the bytes go",
             points.empty() ? "" : points.front().who.op->inWords(points.front().problem) + left,
             "**Counted** bytes read and written, stacked by tensor, of the last point of each kernel." + formats,
             Figure::Place::Support, std::move(series)});
}

} // namespace warplight::workbench
