// The GPU's rungs in the race: their compiled kernels run on the virtual GPU, and its models say what that would take.
#include "core/labs/attention/gpu_rungs.h"

#include "core/error.h"
#include "core/labs/attention/inputs.h"
#include "gpu/ops/attention_traffic.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace warplight::labs {
namespace {

using namespace lab;

/// A point that would keep the virtual GPU busy for longer is left out.
constexpr double mostSeconds = 2;

struct Point {
    std::string rung;
    int64_t seqLen = 0;
    double flops = 0, seconds = 0, hostSeconds = 0, dramBytes = 0;
    std::string limit;
    double occupancy = 1;
};

Curve curve(const std::string& id, Provenance provenance, Curve::Style style) {
    Curve c;
    c.id = c.label = c.colourKey = id;
    c.provenance = provenance;
    c.style = style;
    return c;
}

cpu::AttentionProblem problemOf(const Settings& settings, int64_t seqLen) {
    cpu::AttentionProblem p;
    p.batch = settings.integer("batch");
    p.queryHeads = p.keyHeads = settings.integer("heads");
    p.queryLen = p.keyLen = seqLen;
    p.headDim = settings.integer("headDim");
    p.causal = settings.flag("causal");
    return p;
}

Point measure(gpu::KernelLibrary& library, const std::string& name, const AttentionInputs& inputs,
              const Settings& settings, Run& run) {
    const gpu::AttentionRung rung = gpu::attentionRungByName(name);
    gpu::AttentionOptions options;
    options.format = gpu::info(rung).halfInputs ? gpu::NumberFormat::F16 : gpu::NumberFormat::F32;
    options.gpu = settings.text("gpu");
    options.cancel = run.cancelToken();
    const gpu::AttentionRun result = gpu::attentionForward(library, rung, gpuShape(inputs.problem), inputs.q.data(),
                                                           inputs.k.data(), inputs.v.data(), options);
    Point point;
    point.rung = name;
    point.seqLen = inputs.problem.queryLen;
    point.flops = cpu::usefulFlops(inputs.problem);
    double longest = 0;
    for (const gpu::LaunchRecord& launch : result.launches) {
        const gpu::Modelled& m = *launch.stats.modelled;
        point.seconds += m.seconds;
        point.hostSeconds += launch.stats.hostSeconds;
        point.dramBytes += static_cast<double>(m.dramReadBytes + m.dramWrittenBytes);
        if (m.seconds > longest) { // of several kernels, the one that takes most
            longest = m.seconds;
            point.limit = m.limit;
            point.occupancy = m.occupancy;
        }
    }
    return point;
}

void begin(Run& run, const vgpu::GpuProfile& gpu, const std::vector<int64_t>& lengths) {
    const std::string how = fmt::format("**Modelled** for a {}: the compiled kernels run on the virtual GPU, which "
                                        "counts instructions, accesses and conflicts; "
                                        "docs/time-model.md says what becomes of them and what is left out. Expect the "
                                        "order of magnitude and the right limit.",
                                        gpu.name);
    const Axis length{"sequence length", "", Scale::Log2, {}, {}, {}, false};
    Series time;
    time.x = length;
    time.y = {"time", "s", Scale::Log10, {}, {}, {}, false};
    run.put({"time", "Time", fmt::format("seconds on a {}, modelled", gpu.name), how, Figure::Place::Main,
             std::move(time)});
    const double f32 = 2.0 * gpu.fp32Lanes * gpu.multiprocessors * gpu.clockHz,
                 tensor = gpu.tensorFlopsPerClock * gpu.multiprocessors * gpu.clockHz;
    Series rate;
    rate.x = length;
    rate.y = {"rate", "FLOP/s", Scale::Log10, {}, {}, {}, false};
    for (const auto& [id, label, peak] :
         {std::tuple("peak", "f32 peak", f32), std::tuple("tensorPeak", "tensor peak", tensor)}) {
        Curve c = curve(id, Provenance::Reference, Curve::Style::Line);
        c.label = label;
        c.colourKey = "peak";
        c.x = {static_cast<double>(lengths.front()), static_cast<double>(lengths.back())};
        c.y = {peak, peak};
        rate.curves.push_back(c);
    }
    run.put({"throughput", "Throughput", "useful FLOP/s",
             "Useful FLOPs (4·N²·d per head, about half when causal) over the **modelled** time; the lines are the "
             "data sheet's peaks (**reference**).",
             Figure::Place::Support, std::move(rate)});
    Series roofline;
    roofline.x = {"useful FLOP per byte of DRAM", "FLOP/B", Scale::Log10, {}, {}, {}, false};
    roofline.y = {"rate", "FLOP/s", Scale::Log10, {}, {}, {}, false};
    for (const auto& [id, label, peak] :
         {std::tuple("roof", "f32", f32), std::tuple("tensorRoof", "tensor cores", tensor)}) {
        Curve c = curve(id, Provenance::Reference, Curve::Style::Line);
        c.label = label;
        c.colourKey = "roof";
        const double ridge = peak / gpu.dramBytesPerSecond;
        c.x = {ridge / 256, ridge, ridge * 64};
        c.y = {peak / 256, peak, peak};
        roofline.curves.push_back(c);
    }
    run.put({"roofline", "Roofline", std::string(gpu.name),
             "Both of a dot's numbers are **modelled**: time, and bytes of DRAM behind the modelled caches. Roofs are "
             "the data sheet's (**reference**).",
             Figure::Place::Support, std::move(roofline)});
    Table table;
    table.columns = {{"implementation", "Kernel", "", false, {}, ""},
                     {"seq_len", "N", "", true, {}, ""},
                     {"time", "Time", "s", true, Provenance::Modelled, "{:.4g}"},
                     {"limit", "Limited by", "", false, {}, ""},
                     {"rate", "Rate", "FLOP/s", true, Provenance::Modelled, "{:.4g}"},
                     {"dram", "DRAM", "B", true, Provenance::Modelled, ""},
                     {"occupancy", "Occupancy", "%", true, Provenance::Modelled, "{:.0f}"},
                     {"host", "Virtual GPU took", "s", true, Provenance::Measured, "{:.3g}"}};
    run.put({"points", "All points", "", "Of several kernels, limit and occupancy are of the one that takes longest.",
             Figure::Place::Support, std::move(table)});
}

void show(Run& run, const Point& p) {
    Curve c = curve(p.rung, Provenance::Modelled, Curve::Style::LineAndPoints);
    c.x = {static_cast<double>(p.seqLen)};
    c.y = {p.seconds};
    run.appendPoint("time", c);
    c.y = {p.flops / p.seconds};
    run.appendPoint("throughput", c);
    c.style = Curve::Style::Points;
    c.x = {p.flops / p.dramBytes};
    c.pointText = {fmt::format("{}, N = {}", p.rung, p.seqLen)};
    run.appendPoint("roofline", c);
    run.appendRow("points", {p.rung, p.seqLen, p.seconds, p.limit, p.flops / p.seconds,
                             static_cast<int64_t>(p.dramBytes), 100 * p.occupancy, p.hostSeconds});
}

void headline(Run& run, const std::vector<Point>& points) {
    const int64_t longest = std::max_element(points.begin(), points.end(), [](const Point& a, const Point& b) {
                                return a.seqLen < b.seqLen;
                            })->seqLen;
    const Point *first = nullptr, *best = nullptr;
    for (const Point& p : points)
        if (p.seqLen == longest) {
            if (!first || p.seconds > first->seconds)
                first = &p;
            if (!best || p.seconds < best->seconds)
                best = &p;
        }
    if (first == best)
        return;
    Metric m;
    m.value = first->seconds / best->seconds;
    m.unit = "×";
    m.format = "{:.1f}";
    m.caption = fmt::format("{} over {} at {}, limited by {}", best->rung, first->rung, longest, best->limit);
    m.provenance = Provenance::Modelled;
    run.put({"speedUp", "Speed-up", "", "The slowest kernel's **modelled** time over the fastest one's.",
             Figure::Place::Headline, m});
}

} // namespace

Parameter onDevice(Parameter parameter, const std::string& device) {
    parameter.shownWhen = "device=" + device;
    return parameter;
}

Parameter kernelsParameter() {
    std::vector<Parameter::Option> options;
    std::vector<std::string> chosen;
    for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs()) {
        options.push_back(
            {std::string(rung.name), std::string(rung.name), fmt::format("{}: {}", rung.title, rung.improves)});
        if (rung.id != gpu::AttentionRung::FlashDecode)
            chosen.emplace_back(rung.name);
    }
    return Parameter::choices("kernels", "Kernels", chosen, options, "Which GPU kernels run.");
}

Parameter gpuParameter() {
    std::vector<Parameter::Option> gpus;
    for (const vgpu::GpuProfile& gpu : vgpu::gpuProfiles())
        gpus.push_back({std::string(gpu.id), std::string(gpu.name), std::string(gpu.source)});
    return Parameter::choice("gpu", "Modelled GPU", "A100", gpus, "Whose clocks, caches and memory are modelled.");
}

gpu::AttentionShape gpuShape(const cpu::AttentionProblem& p) {
    return {p.batch, p.queryHeads, p.keyHeads, p.queryLen, p.keyLen, p.headDim, p.scale, p.causal};
}

void raceOnVirtualGpu(const Settings& settings, Run& run) {
    std::vector<int64_t> lengths = settings.sweep("seqLen");
    std::sort(lengths.begin(), lengths.end());
    const std::vector<std::string>& rungs = settings.choices("kernels");
    if (rungs.empty())
        throw InputError("kernels is empty, expected at least one of those that describe lists");
    gpu::checkShape(gpuShape(problemOf(settings, lengths.back())));
    begin(run, vgpu::gpuProfile(settings.text("gpu")), lengths);
    const auto device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library(*device);
    std::map<std::string, Point> before;
    std::map<std::string, int64_t> leftOut; ///< from which length on
    std::vector<Point> points;
    size_t done = 0;
    for (const int64_t seqLen : lengths) {
        const AttentionInputs inputs =
            makeInputs(problemOf(settings, seqLen), "gaussian", static_cast<uint64_t>(settings.integer("seed")));
        for (const std::string& rung : rungs) {
            run.checkCancelled();
            run.progress(static_cast<double>(done++) / static_cast<double>(lengths.size() * rungs.size()),
                         fmt::format("{}, N = {}", rung, seqLen));
            if (const auto known = before.find(rung); known != before.end()) {
                const double expected =
                    known->second.hostSeconds * cpu::usefulFlops(inputs.problem) / known->second.flops;
                if (expected > mostSeconds) {
                    if (!leftOut.contains(rung))
                        leftOut[rung] = seqLen;
                    continue;
                }
            }
            const Point point = measure(library, rung, inputs, settings, run);
            show(run, point);
            before[rung] = point;
            points.push_back(point);
            headline(run, points);
        }
    }
    std::map<int64_t, std::string> byLength;
    for (const auto& [rung, seqLen] : leftOut)
        byLength[seqLen] += (byLength[seqLen].empty() ? "" : ", ") + rung;
    std::string sentence;
    for (const auto& [seqLen, names] : byLength)
        sentence += fmt::format("{}{} from N = {}", sentence.empty() ? "" : "; ", names, seqLen);
    if (!sentence.empty())
        run.log(fmt::format("Left out, since the virtual GPU would take more than {:.0f} s for each: {}.", mostSeconds,
                            sentence),
                Log::Level::Warning);
}

} // namespace warplight::labs
