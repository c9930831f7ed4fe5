// The GPU's rungs in the race: their compiled kernels run on the virtual GPU, and its models say what that would take.
#include "core/labs/attention/gpu_rungs.h"

#include "core/error.h"
#include "core/labs/attention/inputs.h"
#include "core/tensor/release.h"
#include "gpu/cuda/cuda_device.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/attention_traffic.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::labs {
namespace {

using namespace lab;

/// A point that would keep the virtual GPU busy for longer is left out.
constexpr double mostSeconds = 2;

struct Point {
    std::string rung;
    int64_t seqLen = 0;
    double flops = 0, seconds = 0, hostSeconds = 0, dramBytes = 0; ///< modelled; 0: not
    std::string limit;
    double occupancy = 1;
    std::optional<gpu::Measured> measured;
    double best() const { return measured ? measured->seconds : seconds; }
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

gpu::AttentionOptions optionsFor(gpu::AttentionRung rung, Run& run) {
    gpu::AttentionOptions options;
    options.format = gpu::info(rung).halfInputs ? number::Format::F16 : number::Format::F32;
    options.cancel = run.cancelToken();
    return options;
}

std::optional<gpu::Measured> measure(gpu::KernelLibrary& library, const std::string& name,
                                     const AttentionInputs& inputs, Run& run) {
    const gpu::AttentionRung rung = gpu::attentionRungByName(name);
    gpu::AttentionOptions options = optionsFor(rung, run);
    options.measure = gpu::timedRepetitions;
    return gpu::attentionForward(library, rung, gpuShape(inputs.problem), inputs.q.data(), inputs.k.data(),
                                 inputs.v.data(), options)
        .measured;
}

Point model(gpu::KernelLibrary& library, const std::string& name, const AttentionInputs& inputs, std::string_view gpu,
            Run& run) {
    const gpu::AttentionRung rung = gpu::attentionRungByName(name);
    gpu::AttentionOptions options = optionsFor(rung, run);
    options.gpu = gpu;
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

/// `real`: the name of the GPU that is measured; empty: none is.
void begin(Run& run, const vgpu::GpuProfile& gpu, const std::string& real, const std::vector<int64_t>& lengths) {
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
    const Axis length{"sequence length", "", Scale::Log2, {}, {}, {}, false};
    Series time;
    time.x = length;
    time.y = {"time", "s", Scale::Log10, {}, {}, {}, false};
    time.dispersion = real.empty() ? "" : "10th to 90th percentile";
    run.put({"time", "Time",
             real.empty() ? fmt::format("seconds on a {}, modelled", gpu.name)
                          : fmt::format("seconds on {}, measured; hollow: {}, modelled", real, gpu.name),
             how, Figure::Place::Main, std::move(time)});
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
             "Useful FLOPs (4·N²·d per head, about half when causal) over the **measured** (filled) or **modelled** "
             "(hollow) "
             "time; the lines are the "
             "data sheet's peaks (**reference**).",
             Figure::Place::Support, std::move(rate)});
    Series roofline;
    roofline.x = {"useful FLOP per byte of DRAM", "", Scale::Log10, {}, {}, {}, false};
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
    run.put(
        {"roofline", "Roofline", std::string(gpu.name),
         "Bytes of DRAM are those behind the **modelled** caches; the rate of a hollow dot is modelled, too, that of a "
         "filled one **measured**. Roofs are the data sheet's (**reference**).",
         Figure::Place::Support, std::move(roofline)});
    Table table;
    table.columns = {
        {"implementation", "Kernel", "", false, {}, ""},
        {"seq_len", "N", "", true, {}, ""},
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
void show(Run& run, const Point& p, bool onGpu) {
    const auto add = [&](Curve c, double seconds) {
        c.x = {static_cast<double>(p.seqLen)};
        c.y = {seconds};
        run.appendPoint("time", c);
        c.y = {p.flops / seconds};
        if (!c.low.empty())
            c.low = {p.flops / p.measured->high}, c.high = {p.flops / p.measured->low};
        run.appendPoint("throughput", c);
        if (p.dramBytes <= 0)
            return;
        c.low.clear(), c.high.clear();
        c.style = Curve::Style::Points;
        c.x = {p.flops / p.dramBytes};
        c.pointText = {fmt::format("{}, N = {}", p.rung, p.seqLen)};
        run.appendPoint("roofline", c);
    };
    if (p.measured) {
        Curve c = curve(p.rung, Provenance::Measured, Curve::Style::LineAndPoints);
        c.low = {p.measured->low};
        c.high = {p.measured->high};
        add(c, p.measured->seconds);
    }
    if (p.seconds > 0) {
        Curve c = curve(onGpu ? p.rung + ".modelled" : p.rung, Provenance::Modelled, Curve::Style::LineAndPoints);
        c.label = onGpu ? "" : p.rung;
        c.colourKey = p.rung;
        add(c, p.seconds);
    }
    const auto some = [](double value, bool there) { return there ? Table::Cell(value) : Table::Cell(); };
    const bool m = p.measured.has_value(), v = p.seconds > 0;
    run.appendRow("points", {p.rung, p.seqLen, some(m ? p.measured->seconds : 0, m), some(m ? p.measured->low : 0, m),
                             some(m ? p.measured->high : 0, m),
                             some(m ? 1e6 * p.measured->smClockMHz : 0, m && p.measured->smClockMHz > 0),
                             m && !p.measured->throttled.empty() ? Table::Cell(p.measured->throttled) : Table::Cell(),
                             some(p.seconds, v), v ? Table::Cell(p.limit) : Table::Cell(), p.flops / p.best(),
                             v ? Table::Cell(static_cast<int64_t>(p.dramBytes)) : Table::Cell(),
                             some(100 * p.occupancy, v), some(p.hostSeconds, v)});
}

void headline(Run& run, const std::vector<Point>& points) {
    const int64_t longest = std::max_element(points.begin(), points.end(), [](const Point& a, const Point& b) {
                                return a.seqLen < b.seqLen;
                            })->seqLen;
    const Point *first = nullptr, *best = nullptr;
    for (const Point& p : points)
        if (p.seqLen == longest) { // of one page all are measured, or none
            if (!first || p.best() > first->best())
                first = &p;
            if (!best || p.best() < best->best())
                best = &p;
        }
    if (first == best)
        return;
    Metric m;
    m.value = first->best() / best->best();
    m.unit = "×";
    m.format = "{:.1f}";
    m.caption = fmt::format("{} over {} at {}{}", best->rung, first->rung, longest,
                            best->limit.empty() ? "" : ", limited by " + best->limit);
    m.provenance = best->measured ? Provenance::Measured : Provenance::Modelled;
    run.put(
        {"speedUp", "Speed-up", "", "The slowest kernel's time over the fastest one's.", Figure::Place::Headline, m});
}

} // namespace

Parameter onDevice(Parameter parameter, const std::string& device) {
    parameter.shownWhen = "device=" + device;
    return parameter;
}

Parameter notOnDevice(Parameter parameter, const std::string& device) {
    parameter.shownWhen = "device!=" + device;
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

bool keepsScores(const std::string& kernel) {
    const gpu::AttentionRung rung = gpu::attentionRungByName(kernel);
    return rung == gpu::AttentionRung::Naive || rung == gpu::AttentionRung::Tiled || rung == gpu::AttentionRung::Cublas;
}

int64_t virtualBytes(const std::string& kernel, const cpu::AttentionProblem& problem) {
    const int64_t device = gpu::deviceBytes(gpu::attentionRungByName(kernel), gpuShape(problem), number::Format::F32);
    return saturatedSum(saturatedProduct(2, device), inputBytes(problem) / 2);
}

std::unique_ptr<gpu::Device> openGpu(const std::string& device) {
    if (device == "vgpu")
        return vgpu::makeVirtualDevice();
    return std::make_unique<cuda::CudaDevice>(cuda::deviceNumber(device));
}

const vgpu::GpuProfile& profileOf(const gpu::Device& device, const Settings& settings) {
    if (const vgpu::GpuProfile* own = vgpu::gpuProfileOfCard(device.name()))
        return *own;
    return vgpu::gpuProfile(settings.text("gpu"));
}

void raceOnGpu(const Settings& settings, Run& run) {
    std::vector<int64_t> lengths = settings.sweep("seqLen");
    std::sort(lengths.begin(), lengths.end());
    const bool real = run.device() != "vgpu";
    std::vector<std::string> rungs = settings.choices("kernels");
    if (real && settings.flag("cublas"))
        rungs.emplace_back(gpu::info(gpu::AttentionRung::Cublas).name);
    if (rungs.empty())
        throw InputError("kernels is empty, expected at least one of those that describe lists");
    gpu::checkShape(gpuShape(problemOf(settings, lengths.back())));
    const auto device = openGpu(run.device()), modelDevice = vgpu::makeVirtualDevice();
    const vgpu::GpuProfile& profile = profileOf(*device, settings);
    if (real && !device->matrixLibrary() && settings.flag("cublas")) {
        rungs.pop_back();
        run.log("cublas is left out: libcublas was not found.", Log::Level::Warning);
    }
    begin(run, profile, real ? device->name() : "", lengths);
    gpu::KernelLibrary library(*device), modelLibrary(*modelDevice);
    std::map<std::string, Point> before;
    std::map<std::string, int64_t> leftOut; ///< from which length on it is not modelled
    std::vector<Point> points;
    size_t done = 0;
    for (const int64_t seqLen : lengths) {
        AttentionInputs inputs = makeInputs(problemOf(settings, seqLen), "gaussian",
                                            static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
        const ReleasesBeside release(inputs);
        for (const std::string& rung : rungs) {
            run.checkCancelled();
            run.progress(static_cast<double>(done++) / static_cast<double>(lengths.size() * rungs.size()),
                         fmt::format("{}, N = {}", rung, seqLen));
            Point point;
            const auto known = before.find(rung);
            const double expected = known == before.end() ? 0
                                                          : known->second.hostSeconds *
                                                                cpu::usefulFlops(inputs.problem) / known->second.flops;
            if (rung == gpu::info(gpu::AttentionRung::Cublas).name) {
                point.rung = rung;
                point.seqLen = seqLen;
                point.flops = cpu::usefulFlops(inputs.problem);
            } else if (const FreeMemory memory = freeMemory(); virtualBytes(rung, inputs.problem) > memory.bytes) {
                run.log(fmt::format("{} at N = {} is left out: it would need {}, and {} are free {}", rung, seqLen,
                                    memoryText(virtualBytes(rung, inputs.problem)), memoryText(memory.bytes),
                                    memory.where),
                        Log::Level::Warning);
                continue;
            } else if (expected > mostSeconds) {
                leftOut.try_emplace(rung, seqLen);
                if (!real)
                    continue;
                point.rung = rung;
                point.seqLen = seqLen;
                point.flops = cpu::usefulFlops(inputs.problem);
            } else {
                point = model(modelLibrary, rung, inputs, profile.id, run);
                before[rung] = point;
            }
            if (real)
                point.measured = measure(library, rung, inputs, run);
            show(run, point, real);
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
        run.log(fmt::format("{}, since the virtual GPU would take more than {:.0f} s for each: {}.",
                            real ? "Not modelled" : "Left out", mostSeconds, sentence),
                Log::Level::Warning);
}

} // namespace warplight::labs
