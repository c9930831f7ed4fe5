// SPDX-License-Identifier: GPL-3.0-or-later
// Time against a dimension or an option, measured point by point on this machine's CPU; on GPUs see race_gpu.cpp.
#include "core/workbench/race.h"
#include "core/cpu/machine.h"
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/tensor/release.h"
#include "core/workbench/runner.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::workbench {
namespace {

using namespace lab;

struct Point {
    Contestant who;
    double x = 0;
    Timing timing;
    double flops = 0;
    int64_t extraBytes = 0;
    std::optional<double> bytes; ///< that its loops ask memory for
    double rate() const { return flops / timing.median; }
    const std::string& name() const { return who.implementation->id; }
};

Figure seriesFigure(std::string id, std::string title, std::string subtitle, Axis x, Axis y, std::string explain,
                    Figure::Place place) {
    Series series;
    series.x = std::move(x);
    series.y = std::move(y);
    return {std::move(id), std::move(title), std::move(subtitle), std::move(explain), place, std::move(series)};
}

class CpuRace {
  public:
    CpuRace(const PageSetup& s, const Settings& g, Run& r)
        : setup(s),
          settings(g),
          run(r),
          knob(s.axis(g)),
          xs(s.points(g)),
          peaks(cpu::cachedPeaks(static_cast<int>(g.integer("threads")), r.cancelToken())) {
        options.threads = static_cast<int>(settings.integer("threads"));
        options.cancel = run.cancelToken();
    }

    void go() {
        const std::vector<Contestant> racers = setup.chosen(settings, "cpu");
        begin();
        LeftOut leftOut(run);
        const size_t total = xs.size() * racers.size();
        size_t done = 0;
        for (const double x : xs) { // all at a point before the next: the plot grows evenly
            const Operator* op = nullptr;
            Tensors tensors;
            Problem problem;
            for (const Contestant& who : racers) {
                run.checkCancelled();
                run.progress(
                    static_cast<double>(done) / static_cast<double>(total),
                    fmt::format("{}, {} · {} of {} points", who.implementation->id, atText(knob, x), done + 1, total));
                ++done;
                if (who.op != op) {
                    op = who.op;
                    problem = setup.problem(*op, settings, x);
                    tensors = makeTensors(*op, problem, op->inputKinds.front().id, seed(), run.cancelToken());
                }
                const ReleasesBeside release(tensors);
                if (const auto& whyNot = who.implementation->whyNot; whyNot)
                    if (const std::string why = whyNot(problem); !why.empty()) {
                        leftOut.add(who.implementation->id, why);
                        continue;
                    }
                if (const std::string why = reasonToSkip(who, problem, x); !why.empty()) {
                    run.log(fmt::format("{} at {} is left out: {}", who.implementation->id, atText(knob, x), why),
                            Log::Level::Warning);
                    continue;
                }
                const CpuPoint seen = timeOnCpu(who, problem, tensors, options, settings.real("pointSeconds"), run);
                Point point{who, x, seen.timing, op->usefulFlops(problem), seen.extraBytes, {}};
                if (who.implementation->bytes)
                    point.bytes = gpu::totalBytes(who.implementation->bytes(problem));
                rateOf[who.implementation] = op->workOf(*who.implementation, problem) / seen.timing.median;
                show(point);
                points.push_back(point);
                headlines();
            }
            crossover();
        }
        if (points.empty())
            leftOut.refuse();
        leftOut.tell();
        std::string without;
        for (const Contestant& who : racers)
            if (!who.implementation->bytes)
                without += (without.empty() ? "" : ", ") + who.implementation->id;
        if (!without.empty())
            run.log(fmt::format("Not in the roofline: {}; nobody has derived what its loops ask memory for", without),
                    Log::Level::Info);
    }

  private:
    uint64_t seed() const { return static_cast<uint64_t>(settings.integer("seed")); }

    void begin() {
        const Axis x = setup.xAxis(settings);
        Figure time = seriesFigure("time", "Time", "seconds, median with 10–90 %", x, axisOf("time", "s", Scale::Log10),
                                   "Median of repeated calls after one warm-up; bars are the 10th to 90th percentile. "
                                   "**Measured** with a steady clock around each call.",
                                   Figure::Place::Main);
        std::get<Series>(time.content).dispersion = "10th to 90th percentile";
        run.put(std::move(time));
        putThroughput();
        run.put(seriesFigure("memory", "Extra memory", "beyond inputs and outputs", x,
                             axisOf("memory", "B", Scale::Log10),
                             "**Measured**: the largest number of bytes that an implementation's allocator held beyond "
                             "its inputs and outputs.",
                             Figure::Place::Support));
        putRoofline();
        Table table;
        table.columns = {{"implementation", "Implementation", "", false, {}, ""},
                         {columnOf(knob), knob.symbol, "", true, {}, ""},
                         {"time_median", "Median", "s", true, Provenance::Measured, "{:.4g}"},
                         {"time_p10", "10 %", "s", true, Provenance::Measured, "{:.4g}"},
                         {"time_p90", "90 %", "s", true, Provenance::Measured, "{:.4g}"},
                         {"repetitions", "Repetitions", "", true, Provenance::Counted, ""},
                         {"rate", "Rate", "FLOP/s", true, Provenance::Measured, "{:.4g}"},
                         {"percent_of_peak", "% of f32 peak", "", true, Provenance::Measured, "{:.1f}"},
                         {"extra_memory", "Extra memory", "B", true, Provenance::Measured, ""}};
        run.put({"points", "All points", "", "Every measured point of this run.", Figure::Place::Support,
                 std::move(table)});
    }

    void putThroughput() {
        Axis rateAxis = axisOf("rate", "FLOP/s", Scale::Linear);
        rateAxis.minimum = 0.0;
        Figure rate = seriesFigure(
            "throughput", "Throughput", "useful FLOP/s", setup.xAxis(settings), rateAxis,
            fmt::format("Useful FLOPs ({}) over the **measured** median time. The grey line is this machine's fused "
                        "multiply-add rate, **measured** once.",
                        setup.first().flopsText),
            Figure::Place::Support);
        Curve peak = curveOf("peak", Provenance::Measured, Curve::Style::Line);
        peak.label = "f32 peak";
        peak.x = {xs.front(), xs.back()};
        peak.y = {peaks.fmaFlops, peaks.fmaFlops};
        std::get<Series>(rate.content).curves.push_back(peak);
        run.put(std::move(rate));
    }

    void putRoofline() {
        Series series;
        series.x = axisOf("useful FLOP per byte", "", Scale::Log10);
        series.y = axisOf("rate", "FLOP/s", Scale::Log10);
        const double ridge = peaks.fmaFlops / peaks.bandwidth;
        Curve roof = curveOf("roof", Provenance::Measured, Curve::Style::Line);
        roof.label = fmt::format("{:.0f} GB/s, {:.0f} GFLOP/s", peaks.bandwidth / 1e9, peaks.fmaFlops / 1e9);
        roof.x = {ridge / 64, ridge, ridge * 1024};
        roof.y = {peaks.fmaFlops / 64, peaks.fmaFlops, peaks.fmaFlops};
        series.curves.push_back(roof);
        run.put({"roofline", "Roofline", "f32, this machine",
                 "Heights are **measured**. Positions are **modelled**: useful FLOPs over the bytes of the algorithm, "
                 "inputs and outputs once, and what goes through memory between (S and P of standard attention). "
                 "The roof is this machine's **measured** triad bandwidth and fused multiply-add rate.",
                 Figure::Place::Support, std::move(series)});
    }

    /// FLOP/s of one call on a problem that takes no time.
    double rateFor(const Contestant& who, double x) {
        if (const auto known = rateOf.find(who.implementation); known != rateOf.end())
            return known->second;
        const Problem small = setup.probe(*who.op, settings, x);
        Tensors tensors = makeTensors(*who.op, small, who.op->inputKinds.front().id, seed(), run.cancelToken());
        const CpuPoint seen = timeOnCpu(who, small, tensors, options, 0.01, run);
        return rateOf[who.implementation] = who.op->workOf(*who.implementation, small) / seen.timing.median;
    }

    std::string reasonToSkip(const Contestant& who, const Problem& problem, double x) {
        const double seconds = who.op->workOf(*who.implementation, problem) / rateFor(who, x),
                     limit = 5 * settings.real("pointSeconds");
        if (seconds > limit)
            return fmt::format("one call would take about {:.1f} s, more than {:.1f} s (setting pointSeconds)", seconds,
                               limit);
        const Implementation& i = *who.implementation;
        const int64_t needed = i.heldBytes ? i.heldBytes(problem, options.threads) : 0;
        const FreeMemory memory = freeMemory();
        if (needed > memory.bytes)
            return fmt::format("{} would need {}, and {} are free {}", i.held.empty() ? "it" : i.held,
                               memoryText(needed), memoryText(memory.bytes), memory.where);
        return {};
    }

    /// In percent; nothing where it would tell nothing, and said why. A share above 100 % is a peak that was measured
    /// badly: it is measured again.
    std::optional<double> shareOfPeak(const Point& point) {
        if (point.rate() > peaks.fmaFlops && !point.who.implementation->wideUnits && !measuredAgain) {
            measuredAgain = true;
            peaks.fmaFlops = std::max(peaks.fmaFlops, cpu::measurePeaks(options.threads, 0.4, options.cancel).fmaFlops);
            putThroughput();
            putRoofline();
            for (const Point& p : points)
                showRate(p);
        }
        if (point.rate() <= peaks.fmaFlops)
            return 100 * point.rate() / peaks.fmaFlops;
        if (!toldOfShare) {
            toldOfShare = true;
            run.log(
                point.who.implementation->wideUnits
                    ? fmt::format("{} has no share of the f32 peak: its instructions do more than an f32 fused "
                                  "multiply-add",
                                  point.name())
                    : fmt::format("{} at {} has no share of the peak: it was faster than the peak that was measured, "
                                  "also the second time; was this machine busy then?",
                                  point.name(), atText(knob, point.x)),
                Log::Level::Info);
        }
        return std::nullopt;
    }

    void show(const Point& point) {
        const std::optional<double> share = shareOfPeak(point); // may draw anew what has been
        Curve curve = curveOf(point.name(), Provenance::Measured);
        curve.x = {point.x};
        curve.y = {point.timing.median};
        curve.low = {point.timing.p10};
        curve.high = {point.timing.p90};
        run.appendPoint("time", curve);
        curve.low.clear();
        curve.high.clear();
        curve.y = {static_cast<double>(point.extraBytes)};
        run.appendPoint("memory", curve);
        showRate(point);
        run.appendRow("points", {point.name(), cellOf(point.x), point.timing.median, point.timing.p10, point.timing.p90,
                                 int64_t{point.timing.repetitions}, point.rate(),
                                 share ? Table::Cell(*share) : Table::Cell(), point.extraBytes});
    }

    void showRate(const Point& point) {
        Curve curve = curveOf(point.name(), Provenance::Measured);
        curve.x = {point.x};
        curve.y = {point.rate()};
        curve.low = {point.flops / point.timing.p90};
        curve.high = {point.flops / point.timing.p10};
        run.appendPoint("throughput", curve);
        if (!point.bytes)
            return;
        curve.low.clear();
        curve.high.clear();
        curve.style = Curve::Style::Points;
        curve.x = {point.flops / *point.bytes};
        curve.pointText = {fmt::format("{}, {}", point.name(), atText(knob, point.x))};
        run.appendPoint("roofline", curve);
    }

    /// The numbers worth saying, from what has been measured so far.
    void headlines() {
        const auto best = std::max_element(points.begin(), points.end(),
                                           [](const Point& a, const Point& b) { return a.rate() < b.rate(); });
        const std::optional<double> share = shareOfPeak(*best);
        putMetric("bestRate", best->rate(), "FLOP/s",
                  fmt::format("{} at {}{}", best->name(), best->x,
                              share ? fmt::format(": {:.0f} % of the measured f32 peak", *share) : ""));
        const Operator& op = setup.first();
        const auto last = [&](const std::string& id) -> const Point* {
            const Point* found = nullptr;
            for (const Point& p : points)
                if (p.name() == id && (!found || p.x > found->x))
                    found = &p;
            return found;
        };
        const Point* baseline = last(op.baseline);
        const Point* rival = nullptr;
        for (const Point& p : points)
            if (baseline && p.x == baseline->x && &p != baseline && !p.who.implementation->wideUnits &&
                (!rival || p.timing.median < rival->timing.median))
                rival = &p;
        if (rival)
            putMetric("speedUp", baseline->timing.median / rival->timing.median, "×",
                      fmt::format("{} over {} at {}", rival->name(), op.baseline, rival->x), "{:.2f}");
        for (const std::string& id : {op.baseline, op.frugal})
            if (const Point* p = last(id); p && p->extraBytes > 0)
                putMetric(id + "Memory", static_cast<double>(p->extraBytes), "B",
                          fmt::format("extra memory of {} at {}", id, p->x));
    }

    /// From which point on the fastest one is another than at the first. Of whole points alone: while some racers are
    /// still to come, whoever has been is the fastest.
    void crossover() {
        const auto fastest = [&](double x) -> const Point* {
            const Point* found = nullptr;
            for (const Point& p : points)
                if (p.x == x && (!found || p.timing.median < found->timing.median))
                    found = &p;
            return found;
        };
        std::vector<double> xs;
        for (const Point& p : points)
            if (xs.empty() || xs.back() != p.x)
                xs.push_back(p.x);
        if (xs.size() < 2)
            return;
        const Point *early = fastest(xs.front()), *late = fastest(xs.back());
        if (early->who.implementation == late->who.implementation) {
            run.remove("crossover");
            return;
        }
        const std::string& theory = setup.first().theory;
        double from = xs.back();
        for (auto x = xs.rbegin(); x != xs.rend() && fastest(*x)->who.implementation == late->who.implementation; ++x)
            from = *x;
        putMetric("crossover", from, "",
                  fmt::format("{} from which {} is fastest; {} is at {}{}", knob.symbol, late->name(), early->name(),
                              xs.front(), theory.empty() ? "" : fmt::format(" ({})", theory)),
                  "{:.0f}");
    }

    void putMetric(const std::string& id, double value, std::string unit, const std::string& caption,
                   std::string format = {}) {
        Metric metric;
        metric.value = value;
        metric.unit = std::move(unit);
        metric.format = std::move(format);
        metric.caption = caption;
        run.put(headline(id, caption, "**Measured** in this run.", std::move(metric)));
    }

    const PageSetup& setup;
    const Settings& settings;
    Run& run;
    const Knob& knob;
    const std::vector<double> xs;
    cpu::MachinePeaks peaks;
    bool measuredAgain = false, toldOfShare = false;
    cpu::RunOptions options;
    std::map<const Implementation*, double> rateOf; ///< FLOP/s that it does itself, of the last point
    std::vector<Point> points;
};

class Race : public Experiment {
  public:
    Race(OperatorList operators, std::vector<std::string> chosen)
        : setup(std::move(operators), Page::Race, std::move(chosen)) {}

    Description describe() const override {
        Description d = setup.describe();
        d.parameters = setup.knobParameters();
        for (Parameter& p : setup.ladderParameters())
            d.parameters.push_back(std::move(p));
        if (runsOn(d, "vgpu"))
            d.parameters.push_back(devices::notOnDevice(devices::gpuParameter(), "cpu"));
        if (runsOn(d, "cpu")) {
            d.parameters.push_back(devices::onDevice(
                Parameter::integer("threads", "Threads", 0, 0, 1024, "0 uses all the machine has."), "cpu"));
            d.parameters.push_back(devices::onDevice(
                Parameter::real("pointSeconds", "Time for a point", 0.4, 0.01, 600,
                                "A point that needs longer than five times this is left out, and said so."),
                "cpu"));
        }
        d.parameters.push_back(Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs."));
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return settings.real("pointSeconds") *
               static_cast<double>(setup.points(settings).size() * settings.choices("implementations").size());
    }

    /// Of the largest problem: tensors, and what the implementations hold or what goes to a GPU. Of those that hold
    /// more than the tensors' size, single points are left out.
    MemoryNeed neededMemory(const Settings& settings, const std::string& device) const override {
        int64_t tensors = 0, most = device == "cpu" ? cpu::peakMeasurementBytes : 0;
        std::string what;
        for (const double x : setup.points(settings))
            for (const Contestant& who : setup.chosen(settings, device)) {
                const Problem problem = setup.problem(*who.op, settings, x);
                if (const int64_t bytes = who.op->tensorBytes(problem); bytes >= tensors) {
                    tensors = bytes;
                    what = who.op->inWords(problem);
                }
                const Implementation& i = *who.implementation;
                if (!i.held.empty())
                    continue;
                most =
                    std::max(most, device != "cpu" ? virtualBytes(who, problem)
                                   : i.heldBytes   ? i.heldBytes(problem, static_cast<int>(settings.integer("threads")))
                                                   : 0);
            }
        return {saturatedSum(tensors, most), 0, what, setup.first().lower};
    }

    void run(const Settings& settings, Run& run) override {
        if (run.device() == "cpu")
            CpuRace(setup, settings, run).go();
        else
            raceOnGpu(setup, settings, run);
    }

  private:
    PageSetup setup;
};

} // namespace

std::unique_ptr<Experiment> makeRace(OperatorList operators, std::vector<std::string> chosen) {
    return std::make_unique<Race>(std::move(operators), std::move(chosen));
}

} // namespace warplight::workbench
