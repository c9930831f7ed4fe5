// SPDX-License-Identifier: GPL-3.0-or-later
// The GPU's implementations in the race: their compiled kernels run on the virtual GPU, and its models say what that
// would take; on an NVIDIA GPU they are measured, too.
#include "core/devices/gpus.h"
#include "core/tensor/release.h"
#include "core/workbench/race.h"
#include "core/workbench/runner.h"
#include "gpu/host/memory_budget.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::workbench {
namespace {

using namespace lab;

/// A point that would keep the virtual GPU busy for longer is left out.
constexpr double mostSeconds = 2;

struct Point {
    std::string rung;
    double x = 0;
    double flops = 0;
    VirtualPoint modelled; ///< of no seconds where nothing was modelled
    std::optional<gpu::Measured> measured;
    double best() const { return measured ? measured->seconds : modelled.seconds; }
};

/// `real`: the name of the GPU that is measured; empty: none is.
void begin(Run& run, const vgpu::GpuProfile& gpu, const std::string& real, const PageSetup& setup,
           const Settings& settings, const std::vector<double>& xs) {
    const std::string modelled =
        fmt::format("**Modelled** for a {}: the compiled kernels run on the virtual GPU, which "
                    "counts instructions, accesses and conflicts; "
                    "docs/time-model.md says what becomes of them and what is left out. Expect the "
                    "order of magnitude and the right limit.",
                    gpu.name);
    const std::string how =
        real.empty()
            ? modelled
            : fmt::format("Filled marks are **measured** on {}: median of {} repetitions after warming up, with a "
                          "cold L2, bars from the 10th to the 90th percentile. Hollow marks: {}",
                          real, gpu::timedRepetitions.measured, modelled);
    const Knob& knob = setup.axis(settings);
    const Axis length = setup.xAxis(settings);
    Series time;
    time.x = length;
    time.y = axisOf("time", "s", Scale::Log10);
    time.dispersion = real.empty() ? "" : "10th to 90th percentile";
    run.put({"time", "Time",
             real.empty() ? fmt::format("seconds on a {}, modelled", gpu.name)
                          : fmt::format("seconds on {}, measured; hollow: {}, modelled", real, gpu.name),
             how, Figure::Place::Main, std::move(time)});
    const double f32 = 2.0 * gpu.fp32Lanes * gpu.multiprocessors * gpu.clockHz,
                 tensor = gpu.tensorFlopsPerClock * gpu.multiprocessors * gpu.clockHz;
    Series rate;
    rate.x = length;
    rate.y = axisOf("rate", "FLOP/s", Scale::Log10);
    for (const auto& [id, label, peak] :
         {std::tuple("peak", "f32 peak", f32), std::tuple("tensorPeak", "tensor peak", tensor)}) {
        Curve c = curveOf(id, Provenance::Reference, Curve::Style::Line);
        c.label = label;
        c.colourKey = "peak";
        c.x = {xs.front(), xs.back()};
        c.y = {peak, peak};
        rate.curves.push_back(c);
    }
    run.put(
        {"throughput", "Throughput", "useful FLOP/s",
         fmt::format("Useful FLOPs ({}) over the **measured** (filled) or **modelled** (hollow) time; the lines are "
                     "the data sheet's peaks (**reference**).",
                     setup.first().flopsText),
         Figure::Place::Support, std::move(rate)});
    Series roofline;
    roofline.x = axisOf("useful FLOP per byte of DRAM", "", Scale::Log10);
    roofline.y = axisOf("rate", "FLOP/s", Scale::Log10);
    for (const auto& [id, label, peak] :
         {std::tuple("roof", "f32", f32), std::tuple("tensorRoof", "tensor cores", tensor)}) {
        Curve c = curveOf(id, Provenance::Reference, Curve::Style::Line);
        c.label = label;
        c.colourKey = "roof";
        const double ridge = peak / gpu.dramBytesPerSecond;
        c.x = {ridge / 256, ridge, ridge * 64};
        c.y = {peak / 256, peak, peak};
        roofline.curves.push_back(c);
    }
    run.put(
        {"roofline", "Roofline", std::string(gpu.name),
         "Bytes of DRAM are those behind the **modelled** caches; the rate of a hollow dot is modelled, too, that of a "
         "filled one **measured**. Roofs are the data sheet's (**reference**).",
         Figure::Place::Support, std::move(roofline)});
    Table table;
    table.columns = {
        {"implementation", "Kernel", "", false, {}, ""},
        {columnOf(knob), knob.symbol, "", true, {}, ""},
        {"measured", "Measured", "s", true, Provenance::Measured, "{:.4g}"},
        {"p10", "10 %", "s", true, Provenance::Measured, "{:.4g}"},
        {"p90", "90 %", "s", true, Provenance::Measured, "{:.4g}"},
        {"clock", "SM clock", "Hz", true, Provenance::Measured, ""},
        {"throttled", "Held back by", "", false, {}, ""},
        {"time", "Modelled", "s", true, Provenance::Modelled, "{:.4g}"},
        {"limit", "Limited by", "", false, {}, ""},
        {"rate", "Rate", "FLOP/s", true, real.empty() ? Provenance::Modelled : Provenance::Measured, "{:.4g}"},
        {"dram", "DRAM", "B", true, Provenance::Modelled, ""},
        {"occupancy", "Occupancy", "%", true, Provenance::Modelled, "{:.0f}"},
        {"host", "Virtual GPU took", "s", true, Provenance::Measured, "{:.3g}"}};
    run.put({"points", "All points", "", "Of several kernels, limit and occupancy are of the one that takes longest.",
             Figure::Place::Support, std::move(table)});
}

/// A curve of measured points, and one of modelled points that goes with it where there are both.
void show(Run& run, const Knob& knob, const Point& p, bool onGpu) {
    const auto add = [&](Curve c, double seconds) {
        c.x = {p.x};
        c.y = {seconds};
        run.appendPoint("time", c);
        c.y = {p.flops / seconds};
        if (!c.low.empty())
            c.low = {p.flops / p.measured->high}, c.high = {p.flops / p.measured->low};
        run.appendPoint("throughput", c);
        if (p.modelled.dramBytes <= 0)
            return;
        c.low.clear(), c.high.clear();
        c.style = Curve::Style::Points;
        c.x = {p.flops / p.modelled.dramBytes};
        c.pointText = {fmt::format("{}, {}", p.rung, atText(knob, p.x))};
        run.appendPoint("roofline", c);
    };
    if (p.measured) {
        Curve c = curveOf(p.rung, Provenance::Measured, Curve::Style::LineAndPoints);
        c.low = {p.measured->low};
        c.high = {p.measured->high};
        add(c, p.measured->seconds);
    }
    if (p.modelled.seconds > 0) {
        Curve c = curveOf(onGpu ? p.rung + ".modelled" : p.rung, Provenance::Modelled, Curve::Style::LineAndPoints);
        c.label = onGpu ? "" : p.rung;
        c.colourKey = p.rung;
        add(c, p.modelled.seconds);
    }
    const auto some = [](double value, bool there) { return there ? Table::Cell(value) : Table::Cell(); };
    const bool m = p.measured.has_value(), v = p.modelled.seconds > 0;
    run.appendRow("points",
                  {p.rung, cellOf(p.x), some(m ? p.measured->seconds : 0, m), some(m ? p.measured->low : 0, m),
                   some(m ? p.measured->high : 0, m),
                   some(m ? 1e6 * p.measured->smClockMHz : 0, m && p.measured->smClockMHz > 0),
                   m && !p.measured->throttled.empty() ? Table::Cell(p.measured->throttled) : Table::Cell(),
                   some(p.modelled.seconds, v), v ? Table::Cell(p.modelled.limit) : Table::Cell(), p.flops / p.best(),
                   v ? Table::Cell(static_cast<int64_t>(p.modelled.dramBytes)) : Table::Cell(),
                   some(100 * p.modelled.occupancy, v), some(p.modelled.hostSeconds, v)});
}

void speedUp(Run& run, const std::vector<Point>& points) {
    const double longest =
        std::max_element(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; })->x;
    const Point *first = nullptr, *best = nullptr;
    int compared = 0;
    for (const Point& p : points)
        if (p.x == longest) { // of one page all are measured, or none
            ++compared;
            if (!first || p.best() > first->best())
                first = &p;
            if (!best || p.best() < best->best())
                best = &p;
        }
    if (first == best) {
        if (compared > 1) // all the same: what was said of a point before is no longer the answer
            run.remove("speedUp");
        return;
    }
    Metric m;
    m.value = first->best() / best->best();
    m.unit = "×";
    m.format = "{:.1f}";
    m.caption = fmt::format("{} over {} at {}{}", best->rung, first->rung, longest,
                            best->modelled.limit.empty() ? "" : ", limited by " + best->modelled.limit);
    m.provenance = best->measured ? Provenance::Measured : Provenance::Modelled;
    run.put(headline("speedUp", "Speed-up", "The slowest kernel's time over the fastest one's.", m));
}

} // namespace

void raceOnGpu(const PageSetup& setup, const Settings& settings, Run& run) {
    const std::vector<double> xs = setup.points(settings);
    const Knob& knob = setup.axis(settings);
    const bool real = run.device() != "vgpu";
    std::vector<Contestant> racers = setup.chosen(settings, run.device());
    const auto device = devices::openGpu(run.device()), modelDevice = vgpu::makeVirtualDevice();
    const vgpu::GpuProfile& profile = devices::profileOf(*device, settings);
    if (real)
        std::erase_if(racers, [&](const Contestant& who) {
            const bool isThere = libraryIsThere(*who.implementation, *device);
            if (!isThere)
                run.log(fmt::format("{0} is left out: lib{0} was not found.", who.implementation->id),
                        Log::Level::Warning);
            return !isThere;
        });
    LeftOut unable(run);
    std::erase_if(racers, [&](const Contestant& who) {
        const std::string why = real ? whyNotOn(*who.implementation, device->architecture(), device->name())
                                     : whyNotOn(*who.implementation, profile.architecture, profile.name);
        if (!why.empty())
            unable.add(who.implementation->id, why);
        return !why.empty();
    });
    begin(run, profile, real ? device->name() : "", setup, settings, xs);
    gpu::KernelLibrary library(*device), modelLibrary(*modelDevice);
    std::map<std::string, Point> before;
    std::map<std::string, double> leftOut; ///< from which point on it is not modelled
    std::vector<Point> points;
    size_t done = 0;
    for (const double x : xs) {
        const Operator* op = nullptr;
        Tensors tensors;
        for (const Contestant& who : racers) {
            const Implementation& i = *who.implementation;
            run.checkCancelled();
            run.progress(static_cast<double>(done++) / static_cast<double>(xs.size() * racers.size()),
                         fmt::format("{}, {}", i.id, atText(knob, x)));
            Problem problem = setup.problem(*who.op, settings, x);
            problem.format = i.formats.front();
            if (who.op != op) {
                op = who.op;
                tensors = makeTensors(*op, problem, op->inputKinds.front().id,
                                      static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
            }
            const ReleasesBeside release(tensors);
            if (const std::string why = i.whyNot ? i.whyNot(problem) : ""; !why.empty()) {
                unable.add(i.id, why);
                continue;
            }
            Point point;
            point.rung = i.id;
            point.x = x;
            point.flops = op->usefulFlops(problem);
            const auto known = before.find(i.id);
            const double expected =
                known == before.end() ? 0 : known->second.modelled.hostSeconds * point.flops / known->second.flops;
            const FreeMemory memory = freeMemory();
            if (i.library || profile.architecture < i.architecture) {
                // Its kernels are not ours to run, or not for the GPU that is modelled.
            } else if (const int64_t needed = virtualBytes(who, problem); needed > memory.bytes) {
                run.log(fmt::format("{} at {} is left out: it would need {}, and {} are free {}", i.id, atText(knob, x),
                                    memoryText(needed), memoryText(memory.bytes), memory.where),
                        Log::Level::Warning);
                continue;
            } else if (expected > mostSeconds) {
                leftOut.try_emplace(i.id, x);
                if (!real)
                    continue;
            } else {
                gpu::LaunchOptions options;
                options.gpu = profile.id;
                options.cancel = run.cancelToken();
                point.modelled = runOnVirtualGpu(who, problem, tensors, modelLibrary, options);
                before[i.id] = point;
            }
            if (real)
                point.measured = timeOnGpu(who, problem, tensors, library, run.cancelToken());
            show(run, knob, point, real);
            points.push_back(point);
            speedUp(run, points);
        }
    }
    if (points.empty())
        unable.refuse();
    unable.tell();
    std::map<double, std::string> byPoint;
    for (const auto& [rung, x] : leftOut)
        byPoint[x] += (byPoint[x].empty() ? "" : ", ") + rung;
    std::string sentence;
    for (const auto& [x, names] : byPoint)
        sentence += fmt::format("{}{} from {}", sentence.empty() ? "" : "; ", names, atText(knob, x));
    if (!sentence.empty())
        run.log(fmt::format("{}, since the virtual GPU would take more than {:.0f} s for each: {}.",
                            real ? "Not modelled" : "Left out", mostSeconds, sentence),
                Log::Level::Warning);
}

} // namespace warplight::workbench
