// SPDX-License-Identifier: GPL-3.0-or-later
// What each implementation moves through memory: by formula, and counted on the virtual GPU while the compiled kernel
// runs.
#include "core/devices/gpus.h"
#include "core/workbench/measured_traffic.h"
#include "core/workbench/runner.h"
#include "core/workbench/traffic_bars.h"
#include "gpu/host/memory_budget.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"

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

/// Multiply-adds of a kernel that the virtual GPU does in a second with everything around them, about.
constexpr double virtualRate = 5e8;
constexpr uint64_t inputSeed = 42; // bytes do not depend on what the numbers are

class Counting {
  public:
    Counting(const PageSetup& s, const Settings& g, Run& r)
        : setup(s), settings(g), run(r), device(vgpu::makeVirtualDevice()), library(*device) {
        if (run.device() != "vgpu") {
            real = std::make_unique<MeasuredTraffic>(run.device());
            if (!real->unavailable().empty())
                run.log(real->unavailable(), Log::Level::Warning);
        }
        gpu = real ? &devices::profileOf(real->device(), settings) : &vgpu::gpuProfile(settings.text("gpu"));
    }

    void go() {
        const std::vector<double> xs = setup.points(settings);
        std::vector<Contestant> all = setup.chosen(settings, "vgpu");
        LeftOut leftOut(run);
        std::erase_if(all, [&](const Contestant& who) { // what can do none of the points has no curve
            std::string why =
                real ? whyNotOn(*who.implementation, real->device().architecture(), real->device().name()) : "";
            const bool unable = !why.empty() || std::all_of(xs.begin(), xs.end(), [&](double x) {
                const auto& whyNot = who.implementation->whyNot;
                why = whyNot ? whyNot(problemOf(who, x)) : "";
                return !why.empty();
            });
            if (unable)
                leftOut.add(who.implementation->id, why);
            return unable;
        });
        if (all.empty())
            leftOut.refuse();
        leftOut.tell();
        begin(all, xs);
        std::vector<TrafficPoint> points, last; // all, and those of the last point
        size_t done = 0;
        for (const double x : xs) {
            std::vector<TrafficPoint> here;
            bool anyoneCan = false;
            for (const Contestant& who : all) {
                run.checkCancelled();
                const Problem problem = problemOf(who, x);
                run.progress(static_cast<double>(done++) / static_cast<double>(xs.size() * all.size()),
                             fmt::format("{}, {}", who.implementation->id, who.op->inWords(problem)));
                const auto& whyNot = who.implementation->whyNot;
                const int64_t shared = who.implementation->sharedBytes ? who.implementation->sharedBytes(problem) : 0;
                if (const std::string why = whyNot ? whyNot(problem) : ""; !why.empty()) {
                    leftOut.add(who.implementation->id, fmt::format("{} at {}", why, atText(axis(), x)));
                    continue;
                }
                if (shared > gpu->sharedBytes) {
                    leftOut.add(who.implementation->id,
                                fmt::format("at {} a block needs {} KiB of shared memory, more than a {} has",
                                            atText(axis(), x), (shared + 1023) / 1024, gpu->name));
                    continue;
                }
                if (!anyoneCan)
                    reference(*who.op, x);
                anyoneCan = true;
                here.push_back(count(who, problem, x));
                points.push_back(here.back());
                show(here.back());
            }
            if (!here.empty()) {
                last = std::move(here);
                putBars(setup.all(), last, run);
            }
        }
        leftOut.tell();
        headlines(last);
        extras(points);
    }

  private:
    const Knob& axis() const { return setup.axis(settings); }

    Problem problemOf(const Contestant& who, double x) const {
        Problem problem = setup.problem(*who.op, settings, x);
        problem.format = who.implementation->formats.front();
        return problem;
    }

    void begin(const std::vector<Contestant>& all, const std::vector<double>& xs) {
        Series series;
        series.x = setup.xAxis(settings);
        series.y = axisOf("bytes", "B", Scale::Log10);
        const Axis x = series.x;
        Curve compulsory = compulsoryCurve();
        series.curves.push_back(compulsory);
        for (const Contestant& who : all) {
            const std::string& id = who.implementation->id;
            series.curves.push_back(curveOf(id, Provenance::Counted, Curve::Style::Points));
            if (who.implementation->bytes)
                series.curves.push_back(formulaCurve(id));
        }
        run.put({"bytes", "Bytes moved", "counted points on the formulas' curves",
                 "Squares are **counted**: every byte that a thread of the compiled kernel read or wrote. Dashed "
                 "curves are the formula of the kernel's loops (**modelled**), the grey line each tensor once "
                 "(**reference**).",
                 Figure::Place::Main, std::move(series)});
        putBars(setup.all(), {}, run);
        Series dram;
        dram.x = x;
        dram.y = axisOf("bytes", "B", Scale::Log10);
        dram.curves.push_back(std::move(compulsory));
        run.put({"dram", "Behind the caches", fmt::format("to and from the DRAM of a {}", gpu->name),
                 "**Modelled**: the counted accesses of all blocks, put through an L1 for each block and one L2 of the "
                 "chosen GPU, with as many blocks at a time as it holds. What is dirty in the end counts as written.",
                 Figure::Place::Support, std::move(dram)});
        for (const auto& op : setup.all())
            if (op->trafficExtras.begin)
                op->trafficExtras.begin(settings, setup.problem(*op, settings, xs.back()), run);
        if (real)
            putMeasured();
        Table table;
        table.columns.push_back({"kernel", "Kernel", "", false, {}, ""});
        for (Table::Column& column : knobColumns())
            table.columns.push_back(std::move(column));
        for (const Table::Column& column :
             {Table::Column{"tensor", "Tensor", "", false, {}, ""},
              Table::Column{"compulsory", "Compulsory", "B", true, Provenance::Reference, ""},
              Table::Column{"algorithmic", "Algorithmic", "B", true, Provenance::Modelled, ""},
              Table::Column{"read", "Read", "B", true, Provenance::Counted, ""},
              Table::Column{"written", "Written", "B", true, Provenance::Counted, ""},
              Table::Column{"sectors", "In 32 B sectors", "B", true, Provenance::Counted, ""},
              Table::Column{"dram", "DRAM", "B", true, Provenance::Modelled, ""}})
            table.columns.push_back(column);
        run.put({"tensors", "By tensor", "",
                 "Bytes of each tensor. Sectors are what the accesses of whole warps touch, 32 bytes each: fewer bytes "
                 "than were asked for when lanes read the same word, more when they use only part of a sector.",
                 Figure::Place::Support, std::move(table)});
    }

    void putMeasured() {
        Table measured;
        measured.columns.push_back({"kernel", "Kernel", "", false, {}, ""});
        for (Table::Column& column : knobColumns())
            measured.columns.push_back(std::move(column));
        for (const Table::Column& column :
             {Table::Column{"counted", "Asked for", "B", true, Provenance::Counted, ""},
              Table::Column{"dram", "DRAM", "B", true, Provenance::Measured, ""},
              Table::Column{"dram_modelled", "DRAM, modelled", "B", true, Provenance::Modelled, ""},
              Table::Column{"l2", "L2", "B", true, Provenance::Measured, ""},
              Table::Column{"l1", "L1", "B", true, Provenance::Measured, ""},
              Table::Column{"seconds", "Time", "s", true, Provenance::Measured, "{:.4g}"}})
            measured.columns.push_back(column);
        run.put({"measured", "By the GPU's own counters", "beside what was counted and modelled",
                 "**Measured** by CUPTI around each launch (docs/gpu-counters.md), all launches of a kernel together.",
                 Figure::Place::Support, std::move(measured)});
    }

    /// The knobs that can be the axis: which problem a row is about.
    std::vector<Table::Column> knobColumns() const {
        std::vector<Table::Column> columns;
        for (const Knob& knob : setup.knobs())
            if (knob.sweep)
                columns.push_back({columnOf(knob), knob.symbol, "", true, {}, ""});
        return columns;
    }

    std::vector<Table::Cell> beginRow(const TrafficPoint& point) const {
        std::vector<Table::Cell> row{point.who.implementation->id};
        for (const Knob& knob : setup.knobs())
            if (knob.sweep) {
                const double value = point.problem.real(knob.id);
                row.push_back(!knob.single && value == knob.otherwise ? Table::Cell() : cellOf(value));
            }
        return row;
    }

    static Curve compulsoryCurve() {
        Curve c = curveOf("compulsory", Provenance::Reference, Curve::Style::Line);
        c.label = "compulsory, f32";
        c.colourKey.clear();
        return c;
    }

    static Curve formulaCurve(const std::string& id) {
        Curve c = curveOf(id + ".formula", Provenance::Modelled, Curve::Style::Line);
        c.label.clear();
        c.colourKey = id;
        return c;
    }

    void reference(const Operator& op, double x) {
        Curve c = compulsoryCurve();
        c.x = {x};
        c.y = {gpu::totalBytes(op.compulsory(setup.problem(op, settings, x)))};
        run.appendPoint("bytes", c);
        run.appendPoint("dram", c);
    }

    TrafficPoint count(const Contestant& who, const Problem& problem, double x) {
        gpu::LaunchOptions options;
        options.threads = static_cast<int>(settings.integer("threads"));
        options.gpu = gpu->id;
        options.cancel = run.cancelToken();
        Tensors tensors = makeTensors(*who.op, problem, who.op->inputKinds.front().id, inputSeed, run.cancelToken());
        TrafficPoint point;
        point.who = who;
        point.problem = problem;
        point.x = x;
        point.seen = runOnVirtualGpu(who, problem, tensors, library, options);
        point.compulsory = who.op->compulsory(problem);
        if (who.implementation->bytes)
            point.algorithmic = who.implementation->bytes(problem);
        if (real) {
            const bool before = real->unavailable().empty();
            gpu::LaunchOptions there;
            there.cancel = options.cancel;
            point.measured = real->measure(who, problem, tensors, there);
            if (before && !real->unavailable().empty())
                run.log(real->unavailable(), Log::Level::Warning);
        }
        return point;
    }

    void show(const TrafficPoint& point) {
        const std::string& id = point.who.implementation->id;
        const double counted = gpu::totalBytes(point.seen.counted);
        Curve c = curveOf(id, Provenance::Counted, Curve::Style::Points);
        c.x = {point.x};
        c.y = {counted};
        run.appendPoint("bytes", c);
        if (point.algorithmic) {
            Curve formula = formulaCurve(id);
            formula.x = {point.x};
            formula.y = {gpu::totalBytes(*point.algorithmic)};
            run.appendPoint("bytes", formula);
        }
        Curve dram = curveOf(id, Provenance::Modelled);
        dram.x = {point.x};
        dram.y = {0};
        for (const auto& [tensor, bytes] : point.seen.dram)
            dram.y[0] += bytes;
        run.appendPoint("dram", dram);
        if (point.measured && point.measured->dram) {
            Curve measured = curveOf(id + ".measured", Provenance::Measured, Curve::Style::Points);
            measured.label.clear();
            measured.colourKey = id;
            measured.x = {point.x};
            measured.y = {*point.measured->dram};
            run.appendPoint("dram", measured);
        }
        if (point.measured) {
            std::vector<Table::Cell> row = beginRow(point);
            const MeasuredBytes& m = *point.measured;
            for (const Table::Cell& cell :
                 {Table::Cell(static_cast<int64_t>(counted)),
                  m.dram ? Table::Cell(static_cast<int64_t>(*m.dram)) : Table::Cell(),
                  Table::Cell(static_cast<int64_t>(dram.y[0])), Table::Cell(static_cast<int64_t>(m.l2)),
                  Table::Cell(static_cast<int64_t>(m.l1)), Table::Cell(m.seconds)})
                row.push_back(cell);
            run.appendRow("measured", std::move(row));
        }
        for (const auto& [tensor, traffic] : point.seen.counted) {
            const auto value = [&name = tensor](const gpu::TensorTraffic& of) -> Table::Cell {
                const auto found = of.find(name);
                return found == of.end() ? Table::Cell() : Table::Cell(static_cast<int64_t>(found->second.total()));
            };
            std::vector<Table::Cell> row = beginRow(point);
            for (const Table::Cell& cell :
                 {Table::Cell(tensor), value(point.compulsory),
                  point.algorithmic ? value(*point.algorithmic) : Table::Cell(),
                  Table::Cell(static_cast<int64_t>(traffic.read)), Table::Cell(static_cast<int64_t>(traffic.written)),
                  Table::Cell(static_cast<int64_t>(point.seen.sectorBytes.at(tensor))),
                  Table::Cell(static_cast<int64_t>(point.seen.dram.at(tensor)))})
                row.push_back(cell);
            run.appendRow("tensors", std::move(row));
        }
    }

    void headlines(const std::vector<TrafficPoint>& points) {
        if (points.empty())
            return;
        const Operator& op = setup.first();
        const auto bytesOf = [&](const std::string& id) {
            const auto found = std::find_if(points.begin(), points.end(),
                                            [&](const TrafficPoint& p) { return p.who.implementation->id == id; });
            return found == points.end() ? 0.0 : gpu::totalBytes(found->seen.counted);
        };
        for (const TrafficRatio& ratio : op.trafficRatios) {
            if (bytesOf(ratio.more) == 0 || bytesOf(ratio.less) == 0)
                continue;
            Metric m;
            m.value = bytesOf(ratio.more) / bytesOf(ratio.less);
            m.unit = "×";
            m.format = "{:.1f}";
            m.caption = fmt::format("{} over {} in bytes, {}", ratio.more, ratio.less, where(points.front()));
            m.provenance = Provenance::Counted;
            run.put(headline(ratio.id, fmt::format("{} ÷ {}", ratio.more, ratio.less),
                             "Counted bytes of both kernels, divided.", m));
        }
        int64_t differences = 0, compared = 0;
        for (const TrafficPoint& p : points)
            if (p.algorithmic)
                for (const auto& [tensor, t] : *p.algorithmic) {
                    ++compared;
                    differences += !p.seen.counted.contains(tensor) || !(p.seen.counted.at(tensor) == t);
                }
        Metric agreement;
        agreement.value = static_cast<double>(differences);
        agreement.format = "{:.0f}";
        agreement.caption = fmt::format("of {} tensors whose counted bytes are not the formula's", compared);
        agreement.provenance = Provenance::Counted;
        run.put(headline("agreement", "Differences",
                         "Counted and algorithmic bytes of each tensor, compared to the byte.", agreement));
    }

    /// The first knob says how large the problem is.
    std::string where(const TrafficPoint& point) const {
        const Knob& size = setup.knobs().front();
        return atText(size, point.problem.real(size.id));
    }

    void extras(const std::vector<TrafficPoint>& points) {
        for (const auto& op : setup.all()) {
            if (!op->trafficExtras.end)
                continue;
            std::vector<Seen> seen;
            for (const TrafficPoint& p : points)
                seen.push_back({p.who.implementation->id, p.problem, p.x, p.seen.counted});
            op->trafficExtras.end(settings, seen, run);
        }
    }

    const PageSetup& setup;
    const Settings& settings;
    Run& run;
    std::unique_ptr<gpu::Device> device;
    gpu::KernelLibrary library;
    std::unique_ptr<MeasuredTraffic> real;
    const vgpu::GpuProfile* gpu = nullptr;
};

class TrafficPage : public Experiment {
  public:
    explicit TrafficPage(OperatorList operators) : setup(std::move(operators), Page::Traffic) {}

    Description describe() const override {
        Description d = setup.describe();
        d.parameters = setup.knobParameters();
        for (Parameter& p : setup.ladderParameters())
            d.parameters.push_back(std::move(p));
        for (const auto& op : setup.all())
            d.parameters.insert(d.parameters.end(), op->trafficExtras.parameters.begin(),
                                op->trafficExtras.parameters.end());
        Parameter caches = devices::gpuParameter();
        caches.title = "Caches of";
        caches.defaultValue = std::string("T4");
        caches.doc = "Whose L1 and L2 the accesses go through.";
        d.parameters.push_back(std::move(caches));
        d.parameters.push_back(
            Parameter::integer("threads", "Threads", 0, 0, 1024,
                               "Of this machine, for the virtual GPU; 0 uses all. Counts do not depend on it."));
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        double work = 0;
        for (const double x : setup.points(settings))
            work += setup.first().usefulFlops(setup.problem(setup.first(), settings, x)) / 2 *
                    static_cast<double>(settings.choices("kernels").size());
        return work / virtualRate;
    }

    /// A kernel and a point at a time.
    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        MemoryNeed need;
        std::string growing;
        for (const double x : setup.points(settings))
            for (const Contestant& who : setup.chosen(settings, "vgpu")) {
                const Problem problem = setup.problem(*who.op, settings, x);
                const int64_t bytes = saturatedSum(who.op->tensorBytes(problem), virtualBytes(who, problem));
                if (!who.implementation->held.empty() && growing.find(who.implementation->id) == std::string::npos)
                    growing += (growing.empty() ? "" : " and ") + who.implementation->id;
                if (bytes <= need.bytes)
                    continue;
                need.bytes = bytes;
                need.what = fmt::format("{} at {}", who.implementation->id, who.op->inWords(problem));
            }
        need.lower = setup.first().lower;
        if (!growing.empty())
            need.lower += fmt::format(", or leave out {}", growing);
        return need;
    }

    void run(const Settings& settings, Run& run) override { Counting(setup, settings, run).go(); }

  private:
    PageSetup setup;
};

} // namespace

std::unique_ptr<Experiment> makeTraffic(OperatorList operators) {
    return std::make_unique<TrafficPage>(std::move(operators));
}

} // namespace warplight::workbench
