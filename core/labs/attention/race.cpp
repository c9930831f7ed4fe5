// Time against sequence length, measured point by point on this machine.
#include "core/cpu/attention/attention_memory.h"
#include "core/cpu/machine.h"
#include "core/error.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/gpu_rungs.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/stopwatch.h"
#include "core/tensor/release.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::labs {
namespace {

using namespace lab;

constexpr double bytesPerFloat = 4;
/// A problem this long tells about how fast a rung is before a long one is begun.
constexpr int64_t probeLength = 256;

struct Point {
    std::string rung;
    int64_t seqLen = 0;
    Timing timing;
    double flops = 0;
    int64_t extraBytes = 0;
};

cpu::AttentionProblem shapeOf(const Settings& settings, int64_t seqLen) {
    cpu::AttentionProblem shape;
    shape.batch = settings.integer("batch");
    shape.queryHeads = shape.keyHeads = settings.integer("heads");
    shape.queryLen = shape.keyLen = seqLen;
    shape.headDim = settings.integer("headDim");
    shape.causal = settings.flag("causal");
    return shape;
}

/// Bytes the algorithm must move to and from memory if caches hold a tile: Q, K, V, O once, and for `standard` also S
/// written, S read, P written, P read (science of FlashAttention, section 3.1 of Dao et al. 2022).
double algorithmicBytes(const cpu::AttentionProblem& p, std::string_view rung) {
    const double n = static_cast<double>(p.queryLen), d = static_cast<double>(p.headDim);
    const double heads = static_cast<double>(p.batch * p.queryHeads);
    return bytesPerFloat * heads * (4 * n * d + (rung == "standard" ? 4 * n * n : 0));
}

Axis lengthAxis() { return {"sequence length", "", Scale::Log2, {}, {}, {}, false}; }

Figure seriesFigure(std::string id, std::string title, std::string subtitle, Axis y, std::string explain,
                    Figure::Place place) {
    Series series;
    series.x = lengthAxis();
    series.y = std::move(y);
    return {std::move(id), std::move(title), std::move(subtitle), std::move(explain), place, std::move(series)};
}

Curve curveOf(const std::string& rung) {
    Curve curve;
    curve.id = curve.label = curve.colourKey = rung;
    return curve;
}

class Race : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "attention.race";
        d.lab = "Attention";
        d.title = "Race";
        d.sentence = "Time against sequence length, point by point.";
        d.question =
            "How does the time of one attention layer grow with the sequence, and what does keeping S in memory cost?";
        d.about =
            "**FLOPs** 4·N²·d per head, about half when causal. **% of f32 peak**: against this machine's own fused "
            "multiply-add rate, measured once. Each point is warmed up once and repeated until its median is stable. "
            "On the virtual GPU the "
            "compiled GPU kernels race, in **modelled** time; on an NVIDIA GPU in **measured** time, with the modelled "
            "one "
            "beside it.";
        d.devices = {"cpu", "vgpu", "cuda"};
        std::vector<std::string> all;
        for (const auto& option : rungOptions())
            all.push_back(option.id);
        d.parameters = {
            Parameter::sweep("seqLen", "Sequence length", {256, 512, 1024, 2048, 4096}, 1, 1 << 20,
                             "Lengths of Q, K and V to measure."),
            Parameter::integer("headDim", "Head dimension", 64, 1, 512, "Features of one head."),
            Parameter::integer("heads", "Heads", 2, 1, 256, "Heads of each batch entry; all are computed in one call."),
            Parameter::integer("batch", "Batch", 1, 1, 256, "Batch entries."),
            Parameter::flag("causal", "Causal mask", false, "Query i sees keys 0 to i only."),
            onDevice(Parameter::choices("implementations", "Implementations", all, rungOptions(),
                                        "Which rungs of the ladder race."),
                     "cpu"),
            notOnDevice(kernelsParameter(), "cpu"),
            onDevice(
                Parameter::flag("cublas", "cuBLAS", true, "Both products by NVIDIA's library, softmax between them."),
                "cuda"),
            notOnDevice(gpuParameter(), "cpu"),
            onDevice(Parameter::integer("threads", "Threads", 0, 0, 1024, "0 uses all the machine has."), "cpu"),
            onDevice(Parameter::real("pointSeconds", "Time for a point", 0.4, 0.01, 600,
                                     "A point that needs longer than five times this is left out, and said so."),
                     "cpu"),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the Gaussian inputs."),
        };
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return settings.real("pointSeconds") *
               static_cast<double>(settings.sweep("seqLen").size() * settings.choices("implementations").size());
    }

    /// Of the longest problem: inputs, outputs and what the rungs pack, or what goes to a GPU. Points whose S and P do
    /// not fit are left out one by one.
    MemoryNeed neededMemory(const Settings& settings, const std::string& device) const override {
        const auto& lengths = settings.sweep("seqLen");
        const cpu::AttentionProblem longest = shapeOf(settings, *std::max_element(lengths.begin(), lengths.end()));
        int64_t most = cpu::peakMeasurementBytes;
        if (device != "cpu")
            for (const std::string& kernel : settings.choices("kernels"))
                most = std::max(most, keepsScores(kernel) ? 0 : virtualBytes(kernel, longest));
        else
            for (const std::string& rung : settings.choices("implementations"))
                if (rung != "standard")
                    most = std::max(most, cpu::extraBytesAtMost(cpu::implementationByName(rung), longest,
                                                                static_cast<int>(settings.integer("threads"))));
        return {saturatedSum(inputBytes(longest), most), 0,
                fmt::format("N = {} with {} heads of {} features and batch {}", longest.queryLen, longest.queryHeads,
                            longest.headDim, longest.batch),
                "seqLen, heads, headDim or batch"};
    }

    void run(const Settings& settings, Run& run) override {
        if (run.device() != "cpu") {
            raceOnGpu(settings, run);
            return;
        }
        std::vector<int64_t> lengths = settings.sweep("seqLen");
        std::sort(lengths.begin(), lengths.end());
        const auto& rungs = settings.choices("implementations");
        if (rungs.empty())
            throw InputError("implementations is empty, expected at least one of those that describe lists");
        begin(run, settings);
        std::vector<Point> points;
        std::map<std::string, double> flopsPerSecond;
        const size_t total = lengths.size() * rungs.size();
        size_t done = 0;
        for (const int64_t seqLen : lengths) { // all rungs at a length before the next: the plot grows evenly
            AttentionInputs inputs = makeInputs(shapeOf(settings, seqLen), "gaussian",
                                                static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
            const ReleasesBeside release(inputs);
            for (const std::string& rung : rungs) {
                run.checkCancelled();
                run.progress(static_cast<double>(done) / static_cast<double>(total),
                             fmt::format("{}, N = {} · {} of {} points", rung, seqLen, done + 1, total));
                ++done;
                if (!flopsPerSecond.contains(rung))
                    flopsPerSecond[rung] = probeRate(settings, rung, run);
                if (const std::string why = reasonToSkip(settings, inputs.problem, rung, flopsPerSecond[rung]);
                    !why.empty()) {
                    run.log(fmt::format("{} at N = {} is left out: {}", rung, seqLen, why), Log::Level::Warning);
                    continue;
                }
                const Point point = measure(settings, inputs.problem, rung, run);
                flopsPerSecond[rung] = point.flops / point.timing.median;
                show(run, point, inputs.problem);
                points.push_back(point);
                headlines(run, points);
            }
        }
    }

  private:
    cpu::MachinePeaks peaks; // of this run: the engine runs one experiment at a time

    void begin(Run& run, const Settings& settings) {
        peaks = cpu::cachedPeaks(static_cast<int>(settings.integer("threads")), run.cancelToken());
        const std::string how = "Median of repeated calls after one warm-up; bars are the 10th to 90th percentile. "
                                "**Measured** with a steady clock around each call.";
        Figure time = seriesFigure("time", "Time", "seconds, median with 10–90 %",
                                   {"time", "s", Scale::Log10, {}, {}, {}, false}, how, Figure::Place::Main);
        std::get<Series>(time.content).dispersion = "10th to 90th percentile";
        run.put(std::move(time));
        Figure rate = seriesFigure(
            "throughput", "Throughput", "useful FLOP/s", {"rate", "FLOP/s", Scale::Linear, 0.0, {}, {}, false},
            "Useful FLOPs (4·N²·d per head, about half when causal) over the **measured** median time. The grey line "
            "is this machine's fused multiply-add rate, **measured** once.",
            Figure::Place::Support);
        const auto& lengths = settings.sweep("seqLen");
        const auto [least, most] = std::minmax_element(lengths.begin(), lengths.end());
        Curve peak = curveOf("peak");
        peak.label = "f32 peak";
        peak.style = Curve::Style::Line;
        peak.x = {static_cast<double>(*least), static_cast<double>(*most)};
        peak.y = {peaks.fmaFlops, peaks.fmaFlops};
        std::get<Series>(rate.content).curves.push_back(peak);
        run.put(std::move(rate));
        run.put(seriesFigure(
            "memory", "Extra memory", "beyond Q, K, V, O", {"memory", "B", Scale::Log10, {}, {}, {}, false},
            "**Measured**: the largest number of bytes that a rung's allocator held beyond its inputs and outputs.",
            Figure::Place::Support));
        putRoofline(run);
        Table table;
        table.columns = {{"implementation", "Implementation", "", false, {}, ""},
                         {"seq_len", "N", "", true, {}, ""},
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

    void putRoofline(Run& run) const {
        Series series;
        series.x = {"useful FLOP per byte", "", Scale::Log10, {}, {}, {}, false};
        series.y = {"rate", "FLOP/s", Scale::Log10, {}, {}, {}, false};
        const double ridge = peaks.fmaFlops / peaks.bandwidth;
        Curve roof = curveOf("roof");
        roof.label = fmt::format("{:.0f} GB/s, {:.0f} GFLOP/s", peaks.bandwidth / 1e9, peaks.fmaFlops / 1e9);
        roof.style = Curve::Style::Line;
        roof.x = {ridge / 64, ridge, ridge * 1024};
        roof.y = {peaks.fmaFlops / 64, peaks.fmaFlops, peaks.fmaFlops};
        series.curves.push_back(roof);
        run.put({"roofline", "Roofline", "f32, this machine",
                 "Heights are **measured**. Positions are **modelled**: useful FLOPs over the bytes of the algorithm, "
                 "Q, K, V and O once, and for `standard` S and P written and read. "
                 "The roof is this machine's **measured** triad bandwidth and fused multiply-add rate.",
                 Figure::Place::Support, std::move(series)});
    }

    /// FLOP/s of one call on a short problem of the same shape.
    static double probeRate(const Settings& settings, const std::string& rung, Run& run) {
        const int64_t length =
            std::min(probeLength, *std::min_element(settings.sweep("seqLen").begin(), settings.sweep("seqLen").end()));
        const AttentionInputs inputs = makeInputs(shapeOf(settings, length), "gaussian",
                                                  static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
        const auto once = [&] {
            cpu::attentionForward(cpu::implementationByName(rung), inputs.problem, executionOf(settings, run));
        };
        return cpu::usefulFlops(inputs.problem) / timeRepeatedly(once, 0.01).median;
    }

    static cpu::Execution executionOf(const Settings& settings, const Run& run) {
        cpu::Execution execution;
        execution.threads = static_cast<int>(settings.integer("threads"));
        execution.cancel = run.cancelToken();
        return execution;
    }

    static std::string reasonToSkip(const Settings& settings, const cpu::AttentionProblem& problem,
                                    const std::string& rung, double rate) {
        const double seconds = cpu::usefulFlops(problem) / rate, limit = 5 * settings.real("pointSeconds");
        if (seconds > limit)
            return fmt::format("one call would take about {:.1f} s, more than {:.1f} s (setting pointSeconds)", seconds,
                               limit);
        const int64_t needed = cpu::extraBytesAtMost(cpu::implementationByName(rung), problem,
                                                     static_cast<int>(settings.integer("threads")));
        const FreeMemory memory = freeMemory();
        if (needed > memory.bytes)
            return fmt::format("{} would need {}, and {} are free {}", rung == "standard" ? "S and P" : "it",
                               memoryText(needed), memoryText(memory.bytes), memory.where);
        return {};
    }

    static Point measure(const Settings& settings, const cpu::AttentionProblem& problem, const std::string& rung,
                         Run& run) {
        const cpu::Execution execution = executionOf(settings, run);
        const cpu::Implementation implementation = cpu::implementationByName(rung);
        Point point{rung, problem.queryLen, {}, cpu::usefulFlops(problem), 0};
        point.timing = timeRepeatedly(
            [&] {
                run.checkCancelled();
                point.extraBytes = cpu::attentionForward(implementation, problem, execution).extraBytes;
            },
            settings.real("pointSeconds"));
        return point;
    }

    void show(Run& run, const Point& point, const cpu::AttentionProblem& problem) const {
        const double n = static_cast<double>(point.seqLen), rate = point.flops / point.timing.median;
        Curve curve = curveOf(point.rung);
        curve.x = {n};
        curve.y = {point.timing.median};
        curve.low = {point.timing.p10};
        curve.high = {point.timing.p90};
        run.appendPoint("time", curve);
        curve.y = {rate};
        curve.low = {point.flops / point.timing.p90};
        curve.high = {point.flops / point.timing.p10};
        run.appendPoint("throughput", curve);
        curve.low.clear();
        curve.high.clear();
        curve.y = {static_cast<double>(point.extraBytes)};
        run.appendPoint("memory", curve);
        curve.style = Curve::Style::Points;
        curve.x = {point.flops / algorithmicBytes(problem, point.rung)};
        curve.y = {rate};
        curve.pointText = {fmt::format("{}, N = {}", point.rung, point.seqLen)};
        run.appendPoint("roofline", curve);
        run.appendRow("points",
                      {point.rung, point.seqLen, point.timing.median, point.timing.p10, point.timing.p90,
                       int64_t{point.timing.repetitions}, rate, 100 * rate / peaks.fmaFlops, point.extraBytes});
    }

    /// The numbers worth saying, from what has been measured so far.
    void headlines(Run& run, const std::vector<Point>& points) const {
        const auto best = std::max_element(points.begin(), points.end(), [](const Point& a, const Point& b) {
            return a.flops / a.timing.median < b.flops / b.timing.median;
        });
        const double rate = best->flops / best->timing.median;
        putMetric(run, "bestRate", rate, "FLOP/s",
                  fmt::format("{} at {}: {:.0f} % of the measured f32 peak", best->rung, best->seqLen,
                              100 * rate / peaks.fmaFlops));
        const Point* standard = nullptr;
        const Point* rival = nullptr;
        for (const Point& point : points)
            if (point.rung == "standard" && (!standard || point.seqLen > standard->seqLen))
                standard = &point;
        for (const Point& point : points)
            if (standard && point.seqLen == standard->seqLen && &point != standard && point.rung != "flash-bf16" &&
                (!rival || point.timing.median < rival->timing.median))
                rival = &point;
        if (rival)
            putMetric(run, "speedUp", standard->timing.median / rival->timing.median, "×",
                      fmt::format("{} over standard at {}", rival->rung, standard->seqLen), "{:.2f}");
        if (standard)
            putMetric(run, "standardMemory", static_cast<double>(standard->extraBytes), "B",
                      fmt::format("extra memory of standard at {}", standard->seqLen));
        const auto flash =
            std::find_if(points.rbegin(), points.rend(), [](const Point& p) { return p.rung == "flash"; });
        if (flash != points.rend())
            putMetric(run, "flashMemory", static_cast<double>(flash->extraBytes), "B",
                      fmt::format("extra memory of flash at {}", flash->seqLen));
    }

    static void putMetric(Run& run, std::string id, double value, std::string unit, std::string caption,
                          std::string format = {}) {
        Metric metric;
        metric.value = value;
        metric.unit = std::move(unit);
        metric.format = std::move(format);
        metric.caption = caption;
        run.put({std::move(id), caption, "", "**Measured** in this run.", Figure::Place::Headline, std::move(metric)});
    }
};

} // namespace

std::unique_ptr<Experiment> makeRace() { return std::make_unique<Race>(); }

} // namespace warplight::labs
