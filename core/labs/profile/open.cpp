// SPDX-License-Identifier: GPL-3.0-or-later
// Somebody's own profile: what a real GPU did, from the file that a profiler wrote there.
#include "core/error.h"
#include "core/labs/profile/embedded_example.h" // resources/examples/gpu_profile.json
#include "core/labs/profile/profile_figures.h"
#include "core/labs/profile/profile_lab.h"
#include "core/profiles/open_profile.h"
#include "core/profiles/text.h"
#include "core/text/counted.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace warplight::labs::profile {
namespace {

using namespace lab;

/// More spans than this no screen shows apart, and each is a line of the file that a session stores.
constexpr size_t mostSpans = 20000;
constexpr size_t spansPerFrame = 2000;
/// What is left of the progress bar for sums and figures.
constexpr double shareOfReading = 0.9;
/// A packed trace unpacks to some twelve times its size, at some 200 MB/s.
constexpr double bytesPerSecond = 200e6, packing = 12;
/// Bytes held for one of the file: a launch is some 190 bytes, a short row of a table 80, an event of a trace 280.
constexpr double keptOfTable = 2.5, keptOfTrace = 0.8;

Parameter gpuParameter() {
    std::vector<Parameter::Option> gpus = {{"auto", "As the file says", "By the GPU's name in the file."},
                                           {"none", "None", "No ceilings."}};
    for (const vgpu::GpuProfile& gpu : vgpu::gpuProfiles())
        gpus.push_back({std::string(gpu.id), std::string(gpu.name), std::string(gpu.source)});
    return Parameter::choice("gpu", "Ceilings of", "auto", gpus, "Whose data sheet the ceilings come from.");
}

const vgpu::GpuProfile* ceilings(const std::string& choice, const std::string& gpu) {
    if (choice == "none")
        return nullptr;
    return choice == "auto" ? vgpu::gpuProfileOfCard(gpu) : &vgpu::gpuProfile(choice);
}

/// "3 cpu_op and 2 Trace events", the most first; empty for files without categories.
std::string otherEvents(const profiles::Profile& profile) {
    std::vector<std::pair<int64_t, std::string>> list;
    for (const auto& [name, category] : profile.categories)
        list.emplace_back(category.events, asUtf8(name));
    std::sort(list.rbegin(), list.rend());
    std::string text;
    for (size_t i = 0; i < std::min<size_t>(list.size(), 3); ++i)
        text += fmt::format("{}{} {}", i ? ", " : "", list[i].first, list[i].second);
    return text;
}

class OpenProfile : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "profile.open";
        d.lab = "Tools";
        d.title = "GPU profile";
        d.sentence = "What a real GPU did, from the file that a profiler wrote there.";
        d.question = "Which kernels take the time of my GPU, and how near are they to its ceilings?";
        d.about =
            "Drop a profile on the window, or choose one. It is read where it lies, whatever its size, and nothing of "
            "it "
            "is sent anywhere. With no file the page shows a made-up example.\n\n"
            "**Nsight Compute**: `ncu --csv --page raw --print-units base --metrics "
            "gpu__time_duration.sum,dram__bytes_read.sum,dram__bytes_write.sum,"
            "smsp__sass_thread_inst_executed_op_ffma_pred_on.sum ./program > profile.csv`\n\n"
            "**Nsight Systems**: `nsys stats --format csv --report cuda_gpu_trace report.nsys-rep > profile.csv` (or "
            "`cuda_gpu_kern_sum`, `cuda_gpu_mem_time_sum`, `cuda_gpu_sum`)\n\n"
            "**PyTorch**: `torch.profiler.profile(...)`, then `export_chrome_trace(\"trace.json.gz\")`";
        d.devices = {"cpu"};
        d.colours = {{"attention", 0}, {"matrix product", 2}, {"separate softmax", 1},
                     {"copy", 7},      {"collective", 5},     {"elementwise and other", 3}};
        d.dropFiles = "file";
        d.parameters = {
            Parameter::file("file", "Profile", "GPU profiles (*.csv *.csv.gz *.json *.json.gz)",
                            "CSV of Nsight Compute or Nsight Systems, or a PyTorch trace; empty shows an example."),
            gpuParameter(),
            Parameter::text("contains", "Kernels with", "", "Only kernels whose name holds this are listed."),
            Parameter::integer("rows", "Rows", 40, 1, 10000, "Kernels in the table."),
            Parameter::flag("own", "Count Warplight's own kernels", true,
                            "Launches of this program's kernels run once more on the virtual GPU, to stand beside."),
        };
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        const std::string& file = settings.text("file");
        std::error_code error;
        const auto size = file.empty() ? 0 : std::filesystem::file_size(file, error);
        return error ? 0 : static_cast<double>(size) * (file.ends_with(".gz") ? packing : 1) / bytesPerSecond;
    }

    /// Launches with their names; what stands between them in the file is passed over.
    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        const std::string& file = settings.text("file");
        if (file.empty())
            return {};
        const auto bytes = static_cast<double>(requireRegularFile(file, "a profile that can be read"));
        const double kept = file.find(".csv") != std::string::npos ? keptOfTable : keptOfTrace;
        return {static_cast<int64_t>(bytes * (file.ends_with(".gz") ? packing : 1) * kept), 0, file,
                "it: record fewer steps"};
    }

    void run(const Settings& settings, Run& run) override {
        const std::string& file = settings.text("file");
        const ReadProfile read(file.empty() ? example(run) : open(file, run));
        const profiles::Profile& profile = read.profile;
        if (read.kernels.empty() && read.copies.empty())
            throw InputError(fmt::format("{}: holds no GPU kernel{}, expected a profile recorded on a GPU",
                                         profile.source,
                                         profile.categories.empty() ? "" : " but " + otherEvents(profile)));
        for (const std::string& warning : profile.warnings)
            run.log(warning, Log::Level::Warning);
        run.put(note(read, file.empty()));
        for (Figure& figure : headlineFigures(read))
            run.put(std::move(figure));
        const vgpu::GpuProfile* gpu = ceilings(settings.text("gpu"), profile.gpu);
        auto roofline = rooflineFigure(read, gpu);
        const bool measuredFlops = roofline.has_value();
        if (roofline)
            run.put(std::move(*roofline));
        if (read.timed)
            putTimeline(read, measuredFlops ? Figure::Place::Support : Figure::Place::Main, run);
        Figure kernels = kernelTable(read, settings.text("contains"), settings.integer("rows"));
        if (!measuredFlops && !read.timed)
            kernels.place = Figure::Place::Main;
        run.put(std::move(kernels));
        run.checkCancelled();
        for (auto figure : {measuredFlops ? std::nullopt : bandwidthFigure(read, gpu), durationHistogram(read),
                            ownKernelTable(read), copyTable(read), collectiveTable(read)})
            if (figure)
                run.put(std::move(*figure));
        if (gpu && settings.flag("own")) { // once all else is there: the virtual GPU takes its time
            run.progress(shareOfReading, "counting this program's own kernels");
            if (auto own = ownKernelTable(read, [&](const profiles::OurKernel& kernel, const profiles::Extent& grid) {
                    return modelOwnKernel(kernel, grid, *gpu, run.cancelToken());
                }))
                run.put(std::move(*own));
        }
        run.progress(1, "done", 0);
    }

  private:
    static profiles::Profile example(Run& run) {
        const std::string_view text = exampleProfile[0].contents();
        profiles::TextSource source(text);
        return profiles::readProfile(source, {"the example", run.cancelToken(), {}});
    }

    static profiles::Profile open(const std::string& file, Run& run) {
        return profiles::openProfile(file, run.cancelToken(), [&](double fraction) {
            run.progress(shareOfReading * fraction,
                         fmt::format("reading {}", std::filesystem::path(file).filename().string()));
        });
    }

    static Figure note(const ReadProfile& read, bool isExample) {
        const profiles::Profile& profile = read.profile;
        std::string text =
            isExample
                ? "**An example, made up for this page: no GPU ran.** Its numbers have the size that two training "
                  "steps of a small transformer would have on an A100. Choose a file, or drop one on the window."
                : fmt::format("**{}**, written by {}{}.", std::filesystem::path(profile.source).filename().string(),
                              profile.tool, profile.gpu.empty() ? "" : " on " + profile.gpu);
        text += fmt::format(
            "\n\n{} of {}, {}.", counted(read.launches, "launch", "launches"),
            counted(static_cast<int64_t>(read.kernels.size()), "kernel"),
            counted(static_cast<int64_t>(read.copies.size()), "kind of copies and fills", "kinds of copies and fills"));
        for (const std::string& warning : profile.warnings)
            text += "\n\n" + warning;
        return {"source",
                isExample ? "Example" : "File",
                "",
                "What was read, and what could not be read of it.",
                Figure::Place::Support,
                Note{text}};
    }

    static void putTimeline(const ReadProfile& read, Figure::Place place, Run& run) {
        Figure figure = timelineFigure(read, mostSpans);
        figure.place = place;
        run.put(std::move(figure));
        std::vector<Timeline::Span> spans = timelineSpans(read, mostSpans);
        for (size_t from = 0; from < spans.size(); from += spansPerFrame) {
            run.checkCancelled();
            const auto begin = spans.begin() + static_cast<std::ptrdiff_t>(from);
            const auto end = begin + static_cast<std::ptrdiff_t>(std::min(spansPerFrame, spans.size() - from));
            run.appendSpans("timeline", {std::make_move_iterator(begin), std::make_move_iterator(end)});
        }
    }
};

} // namespace

std::unique_ptr<Experiment> makeOpenProfile() { return std::make_unique<OpenProfile>(); }

void registerLab(Registry& registry) { registry.add(makeOpenProfile()); }

} // namespace warplight::labs::profile
