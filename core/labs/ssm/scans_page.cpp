// SPDX-License-Identifier: GPL-3.0-or-later
// Scan algorithms as recorded steps of real runs, and what each costs.
#include "core/labs/ssm/ssm_pages.h"

#include "core/lab/headline.h"
#include "core/labs/ssm/scan_operator.h"
#include "core/labs/ssm/scans_scene.h"
#include "core/workbench/stopwatch.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/ops/scan.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using namespace lab;

constexpr double secondsATiming = 0.05;
constexpr const char* modelledGpu = "A100";
constexpr int64_t mostElements = 64, longestCurve = 1 << 20;

std::vector<Parameter::Option> algorithms() {
    std::vector<Parameter::Option> options;
    for (const auto& rung : cpu::scanRungs())
        if (rung.id != cpu::ScanRung::Reference)
            options.push_back({std::string(rung.name), std::string(rung.name), std::string(rung.title)});
    return options;
}

/// Both enums are ladders with the same names; the GPU's has no reference.
gpu::ScanRung onGpu(cpu::ScanRung rung) { return static_cast<gpu::ScanRung>(static_cast<int>(rung) - 1); }
static_assert(static_cast<int>(gpu::ScanRung::LookBack) + 1 == static_cast<int>(cpu::ScanRung::LookBack));

cpu::ScanRung rungOf(const Settings& s) {
    for (const auto& rung : cpu::scanRungs())
        if (rung.name == s.text("algorithm"))
            return rung.id;
    return cpu::ScanRung::Serial;
}

bool hasChunks(cpu::ScanRung rung) { return rung == cpu::ScanRung::Chunked || rung == cpu::ScanRung::LookBack; }

class Scans : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "ssm.scans";
        d.lab = "State space models";
        d.title = "Scan algorithms";
        d.sentence = "A linear recurrence in parallel: who combines what with whom, step by step.";
        d.question = "h_t needs h_{t-1}. How can all of them be computed at once?";
        d.about =
            "A step h → a h + b is a pair. Two steps are one again, **(a, b) then (a′, b′) = (a′ a, a′ b + b′)**, and "
            "this is associative: pairs may be combined in any order that keeps their places. **Hillis–Steele** "
            "doubles "
            "the reach of all elements in each step, **Sklansky** lets half a block take in the last of the other "
            "half, "
            "**Blelloch** goes up a tree and down again. **Chunked** and **look-back** make a chunk one pair while the "
            "state before it is on its way. *Work* is all combines, *depth* the longest chain of those that wait for "
            "each other. On the CPU the steps are told by the kernels, on the virtual GPU they are found by watching "
            "what the compiled kernels read and write between two barriers.";
        d.devices = {"cpu", "vgpu"};
        for (const auto& rung : cpu::scanRungs())
            d.colours[std::string(rung.name)] = scanColour(rung.name);
        d.colours[earlierCombines] = 7;
        Parameter length = Parameter::integer(
            "length", "Elements", 16, 2, mostElements,
            "Steps of the recurrence; on the virtual GPU chunks of 1,024 steps where the kernels have chunks.");
        length.sliderStep = 1;
        Parameter chunk = Parameter::integer("chunk", "Chunk", 4, 1, mostElements, "Steps of a chunk on the CPU.");
        chunk.shownWhen.push_back(when("algorithm", {"chunked", "look-back"}));
        d.parameters = {Parameter::choice("algorithm", "Algorithm", "blelloch", algorithms(), "Whose run is recorded."),
                        length,
                        chunk,
                        Parameter::choice("input", "Input", "decays", scanInputKinds(), "What a and b hold."),
                        Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of a and b."),
                        Parameter::integer("compared", "Steps of the table", 65536, 1, 1 << 20,
                                           "Length at which all algorithms are compared.")};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        return 0.5 + 6e-6 * static_cast<double>(s.integer("compared"));
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& device) const override {
        const int64_t elements = s.integer("length"), compared = s.integer("compared");
        const bool chunks = hasChunks(rungOf(s));
        const int64_t steps = rungOf(s) == cpu::ScanRung::Serial || chunks ? 3 * elements : 16;
        const int64_t row = device == "vgpu" && chunks ? elements * gpu::scanChunkSteps : elements;
        return {sceneBytes(elements, steps, 8 * elements) + 96 * (row + compared) + (int64_t{8} << 20), 0,
                fmt::format("Scans of {} steps", compared), "compared or length"};
    }

    void run(const Settings& settings, Run& run) override {
        const cpu::ScanRung rung = rungOf(settings);
        const bool isGpu = run.device() == "vgpu";
        const int64_t elements = settings.integer("length"),
                      steps = isGpu && hasChunks(rung) ? elements * gpu::scanChunkSteps : elements;
        const ScanInputs inputs = inputsOf(settings, steps, run);
        const ScanWalk walk = isGpu ? walkOnGpu(onGpu(rung), inputs, run.cancelToken())
                                    : walkOnCpu(rung, inputs, settings.integer("chunk"));
        headlines(run, walk);
        run.put(
            {"steps", "The scan, step by step",
             isGpu ? "of the compiled kernels, watched on the virtual GPU" : "of the kernels on the CPU",
             isGpu
                 ? "Found from what threads of the compiled kernels read and wrote between two barriers, **counted**. "
                   "Numbers between the first and the last step are made again from that order; the last ones are "
                   "the kernel's."
                 : "Told by the kernels themselves while they ran, with their numbers. **Counted.** Chunks are shown "
                   "as they run when the state before them is not known yet.",
             Figure::Place::Main, scanScene(walk)});
        work(run);
        compare(run, settings);
    }

  private:
    static ScanInputs inputsOf(const Settings& settings, int64_t steps, const Run& run) {
        workbench::Problem problem;
        problem.numbers = {{"channels", 1}, {"length", static_cast<double>(steps)}, {"parts", 1}};
        workbench::Tensors tensors;
        for (const char* name : {"A", "B"})
            tensors[name].values.resize(static_cast<size_t>(steps));
        tensors["h0"].values.resize(1);
        fillScan(problem, settings.text("input"), static_cast<uint64_t>(settings.integer("seed")), tensors,
                 run.cancelToken());
        return {std::move(tensors["A"].values), std::move(tensors["B"].values)};
    }

    static void headlines(Run& run, const ScanWalk& walk) {
        const int64_t n = walk.elements();
        if (walk.chunk > 0) {
            putHeadline(run, "work", static_cast<double>(n), "", "{:.0f}",
                        fmt::format("chunks of {} steps", walk.chunk));
        } else {
            putHeadline(run, "work", static_cast<double>(walk.combines), "", "{:.0f}",
                        fmt::format("combines; one after the other {} would do", n - 1));
            putHeadline(run, "depth", static_cast<double>(walk.depth), "", "{:.0f}",
                        walk.onGpu ? "steps that wait for each other" : "combines that wait for each other");
        }
        putHeadline(run, "barriers", static_cast<double>(walk.barriers), "", "{:.0f}",
                    walk.onGpu ? "barriers of all blocks, also around tiles" : "barriers");
        if (walk.handovers > 0)
            putHeadline(run, "handovers", static_cast<double>(walk.handovers), "", "{:.0f}",
                        "states passed on from chunk to chunk");
        if (walk.onGpu)
            putHeadline(run, "bytes", gpu::totalBytes(walk.bytes), "B", "", "read and written, all tensors");
        putHeadline(run, "error", walk.worst, "", "{:.2g}", "largest difference from double precision");
    }

    static void work(Run& run) {
        Series series;
        series.x = {"elements", "", Scale::Log2, {}, {}, {}, false};
        series.y = {"combines an element", "", Scale::Linear, 0.0, {}, {}, false};
        for (const auto& rung : cpu::scanRungs()) {
            if (rung.id == cpu::ScanRung::Reference)
                continue;
            Curve c;
            c.id = c.label = c.colourKey = std::string(rung.name);
            c.provenance = Provenance::Modelled;
            c.style = Curve::Style::Line;
            for (int64_t n = 8; n <= longestCurve; n *= 2) {
                c.x.push_back(static_cast<double>(n));
                c.y.push_back(static_cast<double>(cpu::scanCounts(rung.id, n).combines) / static_cast<double>(n));
            }
            series.curves.push_back(std::move(c));
        }
        run.put({"curves", "Work an element", "combines by formula",
                 "All combines divided by the number of elements, by the formulas that the recorded runs are checked "
                 "against. Rows of up to one chunk (16,384 steps on the CPU) are scanned as they come.",
                 Figure::Place::Support, std::move(series)});
    }
    static void compare(Run& run, const Settings& settings) {
        const int64_t n = settings.integer("compared");
        Table table;
        table.columns = {{"algorithm", "Algorithm", "", false, {}, ""},
                         {"work", "Combines", "", true, Provenance::Modelled, "{:.0f}"},
                         {"depth", "Depth", "", true, Provenance::Modelled, "{:.0f}"},
                         {"barriers", "Barriers", "", true, Provenance::Modelled, "{:.0f}"},
                         {"time", "Time, CPU", "µs", true, Provenance::Measured, "{:.4g}"},
                         {"bytes", "Bytes an element, GPU", "B", true, Provenance::Counted, "{:.2f}"},
                         {"gpuBarriers", "Barriers, GPU", "", true, Provenance::Counted, "{:.0f}"},
                         {"gpuTime", fmt::format("Time, {}", modelledGpu), "µs", true, Provenance::Modelled, "{:.4g}"}};
        run.put(
            {"comparison", "All algorithms", fmt::format("one row of {} steps", n),
             "Combines, depth and barriers of the algorithm on all of the row, by formula. The time is **measured** on "
             "this machine's CPU with all threads. Bytes are what the compiled kernels ask memory for and barriers "
             "those of all their blocks, both **counted** on the virtual GPU; the kernels scan in tiles of up to 1,024 "
             "steps and pass a state on, so their barriers are not the formula's. The GPU's time is **modelled**.",
             Figure::Place::Support, std::move(table)});
        const ScanInputs in = inputsOf(settings, n, run);
        std::vector<float> h(in.a.size());
        const auto device = vgpu::makeVirtualDevice();
        gpu::KernelLibrary library(*device);
        for (const auto& rung : cpu::scanRungs()) {
            if (rung.id == cpu::ScanRung::Reference)
                continue;
            run.checkCancelled();
            const cpu::ScanProblem problem{{1, n}, in.a.data(), in.b.data(), nullptr, h.data()};
            const double seconds = workbench::timeRepeatedly(
                                       [&] {
                                           cpu::scan(rung.id, problem, {0, run.cancelToken()});
                                       },
                                       secondsATiming)
                                       .median;
            gpu::LaunchOptions options;
            options.gpu = modelledGpu;
            options.cancel = run.cancelToken();
            const gpu::ScanRun ran =
                gpu::scan(library, onGpu(rung.id), {1, n, false}, {in.a.data(), in.b.data(), nullptr}, options);
            double modelled = 0, barriers = 0;
            for (const gpu::LaunchRecord& launch : ran.launches) {
                modelled += launch.stats.modelled ? launch.stats.modelled->seconds : 0;
                barriers +=
                    static_cast<double>(launch.stats.barriers) / static_cast<double>((launch.block.count() + 31) / 32);
            }
            const cpu::ScanCounts counts = cpu::scanCounts(rung.id, n);
            run.appendRow("comparison",
                          {std::string(rung.name), counts.combines, counts.depth, counts.barriers, 1e6 * seconds,
                           gpu::totalBytes(gpu::countedTraffic(ran)) / static_cast<double>(n), barriers,
                           1e6 * modelled});
        }
    }
};

} // namespace

std::unique_ptr<Experiment> makeScans() { return std::make_unique<Scans>(); }

} // namespace warplight::labs::ssm
