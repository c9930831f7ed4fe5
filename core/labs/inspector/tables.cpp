// SPDX-License-Identifier: GPL-3.0-or-later
// Roofline, findings and buffers of a launch.
#include "core/labs/inspector/figures.h"

#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::labs::inspector {
namespace {

using namespace lab;

Curve roof(const std::string& id, const std::string& label, double peak, double bytesPerSecond) {
    Curve c;
    c.id = id;
    c.label = label;
    c.colourKey = "roof";
    c.provenance = Provenance::Reference;
    c.style = Curve::Style::Line;
    const double ridge = peak / bytesPerSecond;
    c.x = {ridge / 512, ridge, ridge * 64};
    c.y = {peak / 512, peak, peak};
    return c;
}

Curve dot(const std::string& id, const std::string& label, double flops, double bytes, double seconds) {
    Curve c;
    c.id = c.colourKey = id;
    c.label = label;
    c.provenance = Provenance::Modelled;
    c.style = Curve::Style::Points;
    c.x = {flops / bytes};
    c.y = {flops / seconds};
    c.pointText = {fmt::format("{}: {:.3g} FLOP/B", label, flops / bytes)};
    return c;
}

const char* word(Source::Severity severity) {
    switch (severity) {
    case Source::Severity::Good:
        return "good";
    case Source::Severity::Note:
        return "note";
    case Source::Severity::Warning:
        return "warning";
    case Source::Severity::Error:
        return "error";
    case Source::Severity::None:
        break;
    }
    return "";
}

} // namespace

Figure rooflineFigure(const Inspection& of, const vgpu::GpuProfile& gpu) {
    Series series;
    series.x = {"FLOP per byte", "", Scale::Log10, {}, {}, {}, false};
    series.y = {"rate", "FLOP/s", Scale::Log10, {}, {}, {}, false};
    const double clocks = gpu.multiprocessors * gpu.clockHz;
    series.curves.push_back(roof("f32", "f32 roof", 2.0 * gpu.fp32Lanes * clocks, gpu.dramBytesPerSecond));
    series.curves.push_back(roof("tensor", "tensor roof", gpu.tensorFlopsPerClock * clocks, gpu.dramBytesPerSecond));
    const auto flops = static_cast<double>(of.stats.flops + of.stats.tensorFlops);
    if (of.stats.modelled && flops > 0) {
        const gpu::Modelled& m = *of.stats.modelled;
        const std::tuple<const char*, const char*, double> levels[] = {
            {"dram", "bytes of DRAM", static_cast<double>(m.dramReadBytes + m.dramWrittenBytes)},
            {"l2", "bytes of L2", 32.0 * static_cast<double>(m.l2Reads + m.l2Writes)},
            {"asked", "bytes asked for", static_cast<double>(of.stats.globalBytes)}};
        for (const auto& [id, label, bytes] : levels)
            if (bytes > 0)
                series.curves.push_back(dot(id, label, flops, bytes, m.seconds));
    }
    return {"roofline",
            "Roofline",
            std::string(gpu.name),
            "FLOPs by instruction (**counted**) over **modelled** time, against the bytes at three levels. Roofs are "
            "the data "
            "sheet's, for DRAM (**reference**): a dot of L2 may stand left of the slope.",
            Figure::Place::Support,
            std::move(series)};
}

Figure findingsFigure(const std::vector<Remark>& remarks) {
    Table table;
    table.columns = {{"severity", "", "", false, {}, ""},
                     {"finding", "Finding", "", false, {}, ""},
                     {"line", "PTX lines", "", false, {}, ""}};
    for (size_t i = 0; i < remarks.size(); ++i) { // an unrolled loop says the same several times
        std::string lines;
        bool said = false;
        for (size_t k = 0; k < remarks.size(); ++k)
            if (remarks[k].text == remarks[i].text) {
                said = said || k < i;
                if (remarks[k].line)
                    lines += fmt::format("{}{}", lines.empty() ? "" : ", ", remarks[k].line);
            }
        if (!said)
            table.rows.push_back({std::string(word(remarks[i].severity)), remarks[i].text,
                                  lines.empty() ? Table::Cell() : Table::Cell(lines)});
    }
    return {"findings",
            "Findings",
            "in words",
            "What the counters say. The line numbers are the PTX's.",
            Figure::Place::Support,
            std::move(table)};
}

Figure buffersFigure(const Inspection& of) {
    Table table;
    table.columns = {{"buffer", "Buffer", "", false, {}, ""},
                     {"read", "Read", "B", true, Provenance::Counted, ""},
                     {"written", "Written", "B", true, Provenance::Counted, ""},
                     {"sectors", "In 32 B sectors", "B", true, Provenance::Counted, ""},
                     {"requests", "Requests", "", true, Provenance::Counted, ""},
                     {"dram", "DRAM", "B", true, Provenance::Modelled, ""}};
    for (const gpu::BufferTraffic& b : of.stats.buffers)
        table.rows.push_back({b.name, static_cast<int64_t>(b.readBytes), static_cast<int64_t>(b.writtenBytes),
                              static_cast<int64_t>(32 * (b.readSectors + b.writtenSectors)),
                              static_cast<int64_t>(b.readRequests + b.writeRequests),
                              static_cast<int64_t>(b.dramReadBytes + b.dramWrittenBytes)});
    return {"buffers",
            "Bytes by buffer",
            "",
            "What threads asked for, the sectors that warps touched, and what is left behind "
            "the modelled caches.",
            Figure::Place::Support,
            std::move(table)};
}

} // namespace warplight::labs::inspector
