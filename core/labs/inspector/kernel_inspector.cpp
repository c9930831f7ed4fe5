// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel inspector: what each line of a kernel does, how its lanes lie, where its blocks run, and what that means
// in words.
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/inspector/figures.h"
#include "core/labs/inspector/inspector_lab.h"
#include "core/labs/inspector/subject.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/attention.h"

#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::labs::inspector {
namespace {

using namespace lab;

class KernelInspector : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "inspect.kernel";
        d.lab = "Tools";
        d.title = "Kernel inspector";
        d.sentence = "Every instruction executed, every byte counted, and what that means in words.";
        d.question =
            "What does this kernel do with the GPU's memory, banks and lanes, and what should be changed first?";
        d.about = "The kernel runs on the virtual GPU, twice: once watching how the lanes of its accesses lie, once "
                  "counting, "
                  "with races, bounds and unwritten memory checked. Counts are exact; times, caches and occupancy are "
                  "modelled "
                  "for the chosen GPU. Open your own **.ptx** (nvcc, clang, Triton), or a **.cu** where nvcc or NVRTC "
                  "is found; "
                  "edit it here, run it again, and Compare.";
        d.devices = {"vgpu"};
        d.parameters = parameters({});
        d.dropFiles = "file";
        return d;
    }

    std::vector<Parameter> parameters(const std::map<std::string, Value>& given) const override {
        const auto text = [&](const char* id, const char* otherwise) {
            const auto found = given.find(id);
            return found == given.end() ? std::string(otherwise) : std::get<std::string>(found->second);
        };
        std::vector<Parameter> all = {
            Parameter::choice("from", "Kernel of", "own",
                              {{"own", "Warplight", "A rung of the attention ladder."},
                               {"example", "an example", "Kernels that show a mistake or a virtue."},
                               {"file", "a file", "Your own .ptx or .cu."}},
                              "Where the kernel comes from.")};
        const auto only = [&](Parameter p, const char* from) {
            p.shownWhen = {when("from", {from})};
            all.push_back(std::move(p));
        };
        std::vector<Parameter::Option> rungs;
        for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs())
            rungs.push_back({std::string(rung.name), std::string(rung.name), std::string(rung.title)});
        only(Parameter::choice("kernel", "Kernel", "flash2-mma", rungs, "Which rung."), "own");
        only(Parameter::integer("launch", "Launch", 1, 1, 7,
                                "Which of its kernels, where it has several: mma-e4m3 makes its copies by six, the "
                                "seventh multiplies."),
             "own");
        only(Parameter::integer("seqLen", "Sequence length", 256, 1, 4096, "Rows of Q and keys."), "own");
        only(Parameter::integer("headDim", "Head dimension", 64, 1, 256, "Features of the head."), "own");
        only(Parameter::flag("causal", "Causal mask", false, "Query i sees keys 0 to i only."), "own");
        only(Parameter::choice("example", "Example", "uncoalesced", exampleKernels(), "Which example."), "example");
        only(Parameter::file("file", "File", "Kernels (*.ptx *.cu)", "PTX, or CUDA C++."), "file");
        const std::string from = text("from", "own");
        if (from == "example")
            for (Parameter& p : launchParameters(exampleSubject(text("example", "uncoalesced")), given))
                only(std::move(p), "example");
        else if (from == "file" && !text("file", "").empty())
            for (Parameter& p : launchParameters(fileSubject(text("file", "")), given))
                only(std::move(p), "file");
        all.push_back(devices::gpuParameter());
        return all;
    }

    double estimatedSeconds(const Settings& s) const override {
        if (s.text("from") == "own") {
            const auto n = static_cast<double>(s.integer("seqLen"));
            return 0.1 + 4 * n * n * static_cast<double>(s.integer("headDim")) / 5e8;
        }
        return s.text("from") == "example" ? 0.3 : 2;
    }

    /// Arrays of other kernels say what they need themselves, before anything runs (KernelArgument).
    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        if (s.text("from") != "own")
            return {};
        cpu::AttentionProblem problem;
        problem.queryLen = problem.keyLen = s.integer("seqLen");
        problem.headDim = s.integer("headDim");
        const int64_t inputs = attention::inputBytes(problem),
                      device = gpu::deviceBytes(gpu::attentionRungByName(s.text("kernel")),
                                                attention::gpuShape(problem), number::Format::F32);
        // The virtual GPU's memory has a mark for each byte; the results are copied back.
        return {saturatedSum(saturatedSum(inputs, inputs / 2), saturatedProduct(2, device)), 0,
                fmt::format("{} at N = {} with {} features", s.text("kernel"), problem.queryLen, problem.headDim),
                "seqLen or headDim"};
    }

    void run(const Settings& settings, Run& run) override {
        const std::string from = settings.text("from");
        if (from == "file" && settings.text("file").empty())
            throw InputError("file is empty, expected a .ptx, or a .cu where nvcc or NVRTC is found");
        const vgpu::GpuProfile& gpu = vgpu::gpuProfile(settings.text("gpu"));
        const auto inspection = std::make_shared<const Inspection>(
            from == "own"       ? inspectOwnKernel(settings, run)
            : from == "example" ? inspectSubject(exampleSubject(settings.text("example")), settings, run)
                                : inspectSubject(fileSubject(settings.text("file")), settings, run));
        const std::vector<Remark> said = remarks(*inspection, gpu);
        headlines(run, *inspection, gpu);
        Figure source = sourceFigure(*inspection, said);
        source.subtitle = inspection->title + "; " + source.subtitle;
        const auto shown = std::make_shared<const Source>(std::get<Source>(source.content));
        run.put(std::move(source));
        run.put(findingsFigure(said));
        run.put(accessFigure(*inspection, worstAccess(*inspection)));
        if (!inspection->fault) {
            run.put(blocksFigure(*inspection, gpu));
            if (inspection->stats.flops + inspection->stats.tensorFlops > 0)
                run.put(rooflineFigure(*inspection, gpu));
            run.put(buffersFigure(*inspection));
            if (!inspection->stats.output.empty())
                run.put({"output", "Printed by the kernel", "", "What its printf wrote, block after block.",
                         Figure::Place::Support, Note{"```\n" + inspection->stats.output + "\n```"}});
        }
        run.onSelect("source", [inspection, shown](Run& r, int64_t row, int64_t col) {
            const std::vector<int> lines = ptxLines(*shown, col, row);
            for (const int line : lines)
                if (inspection->accesses.contains(line)) {
                    r.put(accessFigure(*inspection, line));
                    return;
                }
            r.put(accessFigure(*inspection, lines.empty() ? 0 : lines[0]));
        });
    }

  private:
    /// 1952000 is 1.952 million.
    static std::pair<double, const char*> scaled(double value) {
        return value >= 1e9   ? std::pair(value / 1e9, "G")
               : value >= 1e6 ? std::pair(value / 1e6, "M")
               : value >= 1e3 ? std::pair(value / 1e3, "k")
                              : std::pair(value, "");
    }

    static void headlines(Run& run, const Inspection& of, const vgpu::GpuProfile& gpu) {
        const auto metric = [&](const char* id, const char* title, std::optional<double> value, const char* unit,
                                const char* format, std::string caption, Provenance provenance,
                                std::optional<Link> link = {}) {
            Metric m;
            m.value = value;
            m.unit = unit;
            m.format = format;
            m.caption = std::move(caption);
            m.provenance = provenance;
            m.link = std::move(link);
            run.put({id, title, "", "", Figure::Place::Headline, std::move(m)});
        };
        if (!of.madeUp.empty())
            run.log(fmt::format("Made up, since nobody gave {}: {}. Branches, bounds and bytes follow from that; write "
                                "your own in the settings.",
                                of.madeUp.size() == 1 ? "it" : "them", fmt::join(of.madeUp, ", ")),
                    Log::Level::Warning);
        if (of.fault) {
            run.log("The kernel was stopped: " + of.fault->message + ".", Log::Level::Warning);
            return;
        }
        const gpu::LaunchStats& s = of.stats;
        const auto [count, prefix] = scaled(static_cast<double>(s.threadInstructions));
        metric("instructions", "Instructions", count, prefix, "{:.3g}",
               fmt::format("thread instructions, {:.1f} of 32 lanes at work",
                           s.warpInstructions
                               ? static_cast<double>(s.threadInstructions) / static_cast<double>(s.warpInstructions)
                               : 0.0),
               Provenance::Counted);
        metric("bytes", "Bytes", static_cast<double>(s.globalBytes), "B", "", "asked of global memory",
               Provenance::Counted);
        if (!s.modelled)
            return;
        metric("time", "Time", s.modelled->seconds, "s", "",
               fmt::format("on {}, limited by {}", gpu.name, s.modelled->limit), Provenance::Modelled);
        Link link{"Open in Occupancy", "inspect.occupancy", {}};
        link.settings = {{"gpu", std::string(gpu.id)},
                         {"threads", std::to_string(of.block.count())},
                         {"shared", std::to_string(of.sharedBytes)}};
        if (s.modelled->registers > 0)
            link.settings["registers"] = std::to_string(s.modelled->registers);
        metric("occupancy", "Occupancy", 100 * s.modelled->occupancy, "%", "{:.0f}",
               fmt::format("of a multiprocessor's threads, {} block{} at a time, limited by {}",
                           s.modelled->blocksPerMultiprocessor, s.modelled->blocksPerMultiprocessor == 1 ? "" : "s",
                           s.modelled->occupancyLimit),
               Provenance::Modelled, std::move(link));
    }
};

} // namespace

std::unique_ptr<Experiment> makeKernelInspector() { return std::make_unique<KernelInspector>(); }

void registerLab(Registry& registry) {
    registry.add(makeKernelInspector());
    registry.add(makeOccupancy());
}

} // namespace warplight::labs::inspector
