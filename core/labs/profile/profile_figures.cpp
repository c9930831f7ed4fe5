// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/profile/profile_figures.h"

#include "core/lab/number_text.h"
#include "core/profiles/kernel_names.h"
#include "core/profiles/text.h"
#include "core/text/counted.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::profile {

using namespace lab;
using namespace profiles;

namespace {

constexpr double ns = 1e-9;

std::string simple(std::string_view text) { // letters and digits only, in lower case
    std::string result;
    for (const char c : text)
        if (std::isalnum(static_cast<unsigned char>(c)))
            result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

Table::Cell cellOf(const std::optional<double>& value) { return value ? Table::Cell(*value) : Table::Cell(); }
Table::Cell seconds(const std::optional<double>& value) { return value ? Table::Cell(*value * ns) : Table::Cell(); }

Table::Column measured(std::string id, std::string title, std::string unit, std::string format = {}) {
    return {std::move(id), std::move(title), std::move(unit), true, Provenance::Measured, std::move(format)};
}
Table::Column label(std::string id, std::string title) { return {std::move(id), std::move(title), "", false, {}, ""}; }

Figure metric(std::string id, double value, std::string unit, std::string caption, std::string explain,
              std::string format = {}) {
    Metric m;
    m.value = value;
    m.unit = std::move(unit);
    m.format = std::move(format);
    m.caption = caption;
    return {std::move(id), std::move(caption), "", std::move(explain), Figure::Place::Headline, std::move(m)};
}

/// One curve of dots for each class, in the order of the classes' time.
struct Dots {
    std::vector<Curve> curves;
    std::map<std::string, size_t> places;

    Curve& of(const std::string& kind) {
        const auto [place, fresh] = places.try_emplace(kind, curves.size());
        if (fresh) {
            Curve curve;
            curve.id = curve.label = curve.colourKey = kind;
            curve.style = Curve::Style::Points;
            curves.push_back(std::move(curve));
        }
        return curves[place->second];
    }
};

Curve ceiling(std::string id, std::string text, std::vector<double> x, std::vector<double> y) {
    Curve curve;
    curve.id = std::move(id);
    curve.label = std::move(text);
    curve.colourKey = "roof";
    curve.provenance = Provenance::Reference;
    curve.style = Curve::Style::Line;
    curve.x = std::move(x);
    curve.y = std::move(y);
    return curve;
}

std::string ceilingWords(const vgpu::GpuProfile* gpu) {
    return gpu ? fmt::format(" Grey lines are the data sheet's ceilings of {} (**reference**: {}).", gpu->name,
                             gpu->source)
               : " No data sheet fits this GPU's name: choose one in the settings to see ceilings.";
}

/// "14 launches, 12.5 % of the time"
std::string launchesAndShare(const KernelSummary& k) {
    const std::string launches = counted(k.launches, "launch", "launches");
    return k.share ? fmt::format("{}, {:.1f} % of the time", launches, 100 * *k.share) : launches;
}

} // namespace

ReadProfile::ReadProfile(Profile p) : profile(std::move(p)) {
    for (const std::string& name : profile.names)
        shortNames.push_back(shortName(name));
    for (const KernelClass kind : classesOf(profile))
        classes.emplace_back(title(kind));
    kernels = summariseKernels(profile);
    copies = summariseCopies(profile);
    collectives = summariseCollectives(profile);
    overlap = overlapOf(profile);
    for (const KernelSummary& kernel : kernels) {
        kernelTime += kernel.total;
        launches += kernel.launches;
        timedLaunches += kernel.timed;
    }
    timed = std::any_of(profile.records.begin(), profile.records.end(), [](const auto& r) { return r.timed(); });
}

std::vector<Figure> headlineFigures(const ReadProfile& read) {
    std::vector<Figure> figures;
    const std::string on = read.profile.gpu.empty() ? "in kernels" : "in kernels on " + read.profile.gpu;
    if (read.timedLaunches)
        figures.push_back(metric("kernelTime", static_cast<double>(read.kernelTime) * ns, "s", on,
                                 "Sum of the durations of all kernels, **measured** by the profiler. Kernels that run "
                                 "side by side count each."));
    figures.push_back(metric("launches", static_cast<double>(read.launches), "",
                             fmt::format("{} of {}", read.launches == 1 ? "launch" : "launches",
                                         counted(static_cast<int64_t>(read.kernels.size()), "kernel")),
                             "Kernel launches that the file holds, **measured**.", "{:.0f}"));
    if (!read.kernels.empty() && read.kernels.front().share)
        figures.push_back(metric("topShare", 100 * *read.kernels.front().share, "%",
                                 "of it in " + read.shortNames[read.kernels.front().name],
                                 "Share of the kernel that takes the most time, **measured**.", "{:.1f}"));
    if (const Overlap& o = read.overlap; o.communication > 0)
        figures.push_back(
            metric("exposed", static_cast<double>(o.exposed) * ns, "s",
                   fmt::format("exposed communication, {:.0f} % of it overlapped",
                               100 * (1 - static_cast<double>(o.exposed) / static_cast<double>(o.communication))),
                   "Time in which a device runs a collective and no other kernel, on merged intervals, "
                   "**measured**. Overlapped is the rest of the collectives' time."));
    if (const Overlap& o = read.overlap; o.span > 0)
        figures.push_back(metric(
            "busy", 100 * static_cast<double>(o.busy) / static_cast<double>(o.span), "%", "of the time a GPU is busy",
            "Time in which at least one kernel or copy runs, over the time from the first start to "
            "the last end of each device, **measured**.",
            "{:.1f}"));
    return figures;
}

Figure kernelTable(const ReadProfile& read, const std::string& contains, int64_t mostRows) {
    using Cell = std::function<Table::Cell(const KernelSummary&)>;
    Table table;
    std::vector<Cell> cells;
    const auto column = [&](Table::Column of, Cell cell) {
        table.columns.push_back(std::move(of));
        cells.push_back(std::move(cell));
    };
    const auto any = [&](auto has) { return std::any_of(read.kernels.begin(), read.kernels.end(), has); };
    const auto per = [](double sum, int64_t count) {
        return count ? Table::Cell(sum / static_cast<double>(count)) : Table::Cell();
    };
    column(label("kernel", "Kernel"), [&](const auto& k) { return Table::Cell(read.shortNames[k.name]); });
    column(label("class", "Kind"), [&](const auto& k) { return Table::Cell(read.classes[k.name]); });
    column(measured("launches", "Launches", ""), [](const auto& k) { return Table::Cell(k.launches); });
    if (read.timedLaunches) {
        column(measured("total", "Total", "s"),
               [](const auto& k) { return k.timed ? Table::Cell(static_cast<double>(k.total) * ns) : Table::Cell(); });
        column(measured("share", "Share, %", "", "{:.1f}"),
               [](const auto& k) { return k.share ? Table::Cell(100 * *k.share) : Table::Cell(); });
        column(measured("mean", "Mean", "s"), [](const auto& k) { return seconds(k.mean); });
        column(measured("median", "Median", "s"), [](const auto& k) { return seconds(k.median); });
        column(measured("min", "Least", "s"), [](const auto& k) { return seconds(k.minimum); });
        column(measured("max", "Most", "s"), [](const auto& k) { return seconds(k.maximum); });
    }
    if (any([](const auto& k) { return k.measured > 0; }))
        column(measured("bytes", "DRAM, a launch", "B"), [&](const auto& k) { return per(k.bytes, k.measured); });
    if (any([](const auto& k) { return k.bandwidth.value().has_value(); }))
        column(measured("bandwidth", "Bandwidth", "B/s"), [](const auto& k) { return cellOf(k.bandwidth.value()); });
    if (any([](const auto& k) { return k.counted > 0; }))
        column(measured("flops", "FLOPs, a launch", "FLOP"), [&](const auto& k) { return per(k.flops, k.counted); });
    if (any([](const auto& k) { return k.rate.value().has_value(); }))
        column(measured("rate", "Rate", "FLOP/s"), [](const auto& k) { return cellOf(k.rate.value()); });
    if (any([](const auto& k) { return k.intensity.value().has_value(); }))
        column(measured("intensity", "FLOP a byte", "", "{:.3g}"),
               [](const auto& k) { return cellOf(k.intensity.value()); });
    if (any([](const auto& k) { return k.occupancy.has_value(); }))
        column(measured("occupancy", "Occupancy, %", "", "{:.1f}"),
               [](const auto& k) { return k.occupancy ? Table::Cell(100 * *k.occupancy) : Table::Cell(); });
    column(label("name", "Full name"), [&](const auto& k) { return Table::Cell(read.profile.names[k.name]); });
    size_t fitting = 0;
    for (const KernelSummary& k : read.kernels) {
        if (!contains.empty() && simple(read.profile.names[k.name]).find(simple(contains)) == std::string::npos)
            continue;
        if (++fitting > static_cast<size_t>(mostRows))
            continue;
        std::vector<Table::Cell>& row = table.rows.emplace_back();
        for (const Cell& cell : cells)
            row.push_back(cell(k));
    }
    const char* order = read.timedLaunches ? "the most time first" : "the most launches first; no times were measured";
    return {
        "kernels",
        "Kernels",
        table.rows.size() < read.kernels.size()
            ? fmt::format("{} of {}, {}", table.rows.size(), read.kernels.size(), order)
            : order,
        "Times of all launches of a kernel, **measured** by the profiler; of launches without a measured time it "
        "counts the number alone. The kind is guessed from the name. DRAM bytes, FLOPs, rates and occupancy are the "
        "profiler's counters, where it collected them; a multiply-add is two FLOPs.",
        Figure::Place::Support,
        std::move(table)};
}

std::optional<Figure> rooflineFigure(const ReadProfile& read, const vgpu::GpuProfile* gpu) {
    Dots dots;
    double least = 1e300, most = 0;
    for (const KernelSummary& k : read.kernels) {
        const auto intensity = k.intensity.value(), rate = k.rate.value();
        if (!intensity || !rate || *intensity <= 0 || *rate <= 0)
            continue;
        Curve& curve = dots.of(read.classes[k.name]);
        curve.x.push_back(*intensity);
        curve.y.push_back(*rate);
        curve.pointText.push_back(read.shortNames[k.name] + ", " + launchesAndShare(k));
        least = std::min(least, *intensity);
        most = std::max(most, *intensity);
    }
    if (dots.curves.empty())
        return {};
    Series series;
    series.x = {"FLOP per DRAM byte", "", Scale::Log10, {}, {}, {}, false};
    series.y = {"rate", "FLOP/s", Scale::Log10, {}, {}, {}, false};
    if (gpu) {
        const double bandwidth = gpu->dramBytesPerSecond;
        const double f32 = 2.0 * gpu->fp32Lanes * gpu->multiprocessors * gpu->clockHz;
        const double tensor = gpu->tensorFlopsPerClock * gpu->multiprocessors * gpu->clockHz;
        const auto roof = [&](std::string id, std::string text, double peak) {
            const double ridge = peak / bandwidth, from = std::min(least, ridge) / 2, to = std::max(most, ridge) * 4;
            series.curves.push_back(
                ceiling(std::move(id), std::move(text), {from, ridge, to}, {from * bandwidth, peak, peak}));
        };
        roof("roof.f32", fmt::format("f32, {}", numberText(f32, "FLOP/s")), f32);
        roof("roof.tensor",
             fmt::format("f16 tensor, {}; {}", numberText(tensor, "FLOP/s"), numberText(bandwidth, "B/s")), tensor);
    }
    for (Curve& curve : dots.curves)
        series.curves.push_back(std::move(curve));
    return Figure{"roofline",
                  "Roofline",
                  gpu ? std::string(gpu->name) + "'s data sheet" : "no ceilings",
                  "Each dot is a kernel: its FLOPs over its DRAM bytes, and over its time, all **measured** by the "
                  "profiler and summed over its launches." +
                      ceilingWords(gpu),
                  Figure::Place::Main,
                  std::move(series)};
}

std::optional<Figure> bandwidthFigure(const ReadProfile& read, const vgpu::GpuProfile* gpu) {
    Dots dots;
    double least = 1e300, most = 0;
    for (const KernelSummary& k : read.kernels) {
        const auto rate = k.bandwidth.value();
        if (!rate || *rate <= 0 || k.mean.value_or(0) <= 0)
            continue;
        const double time = *k.mean * ns;
        Curve& curve = dots.of(read.classes[k.name]);
        curve.x.push_back(time);
        curve.y.push_back(*rate);
        curve.pointText.push_back(read.shortNames[k.name] + ", " + launchesAndShare(k));
        least = std::min(least, time);
        most = std::max(most, time);
    }
    if (dots.curves.empty())
        return {};
    Series series;
    series.x = {"mean duration", "s", Scale::Log10, {}, {}, {}, false};
    series.y = {"DRAM bandwidth", "B/s", Scale::Log10, {}, {}, {}, false};
    if (gpu)
        series.curves.push_back(ceiling("roof.dram", "DRAM, " + numberText(gpu->dramBytesPerSecond, "B/s"),
                                        {least / 2, most * 2}, {gpu->dramBytesPerSecond, gpu->dramBytesPerSecond}));
    for (Curve& curve : dots.curves)
        series.curves.push_back(std::move(curve));
    return Figure{
        "bandwidth",
        "Bandwidth",
        "DRAM bytes over time",
        "Each dot is a kernel: its DRAM bytes over its time, **measured** by the profiler and summed over its "
        "launches, against its mean duration." +
            ceilingWords(gpu),
        Figure::Place::Support,
        std::move(series)};
}

std::optional<Figure> durationHistogram(const ReadProfile& read) {
    constexpr int binsPerDecade = 6;
    int64_t least = 0, most = 0;
    for (const KernelRecord& r : read.profile.records)
        if (r.kind == KernelRecord::Kind::Kernel && r.duration > 0) {
            least = least ? std::min(least, r.duration) : r.duration;
            most = std::max(most, r.duration);
        }
    if (!most)
        return {};
    const int first = static_cast<int>(std::floor(std::log10(static_cast<double>(least)) * binsPerDecade)),
              last = static_cast<int>(std::floor(std::log10(static_cast<double>(most)) * binsPerDecade));
    Histogram histogram;
    histogram.x = {"duration of a launch", "s", Scale::Log10, {}, {}, {}, false};
    histogram.y = {"launches", "", Scale::Linear, {}, {}, {}, false};
    for (int bin = first; bin <= last + 1; ++bin)
        histogram.edges.push_back(std::pow(10.0, static_cast<double>(bin) / binsPerDecade) * ns);
    std::map<std::string, size_t> places;
    for (const KernelSummary& k : read.kernels) // classes in the order of their time
        if (const std::string& kind = read.classes[k.name]; places.try_emplace(kind, histogram.sets.size()).second)
            histogram.sets.push_back(
                {kind, kind, kind, Provenance::Measured, std::vector<double>(static_cast<size_t>(last - first + 1))});
    for (const KernelRecord& r : read.profile.records)
        if (r.kind == KernelRecord::Kind::Kernel && r.duration > 0) {
            const int bin = static_cast<int>(std::floor(std::log10(static_cast<double>(r.duration)) * binsPerDecade));
            ++histogram.sets[places.at(read.classes[r.name])].counts[static_cast<size_t>(bin - first)];
        }
    return Figure{
        "durations",
        "Durations",
        "launches by kind, six bins a decade",
        "How long single launches take, **measured** by the profiler. Launches of a few microseconds are close "
        "to what launching costs.",
        Figure::Place::Support,
        std::move(histogram)};
}

} // namespace warplight::labs::profile
