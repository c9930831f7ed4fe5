// SPDX-License-Identifier: GPL-3.0-or-later
// How many blocks a multiprocessor holds, and what limits them.
#include "core/devices/gpus.h"
#include "core/labs/inspector/inspector_lab.h"
#include "gpu/virtual/gpu_profile.h"

#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>

namespace warplight::labs::inspector {
namespace {

using namespace lab;

Curve curve(const std::string& id, const std::string& label, Curve::Style style) {
    Curve c;
    c.id = id;
    c.label = label;
    c.colourKey = "occupancy";
    c.provenance = Provenance::Modelled;
    c.style = style;
    return c;
}

class OccupancyCalculator : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "inspect.occupancy";
        d.lab = "Tools";
        d.title = "Occupancy";
        d.sentence = "How many blocks a multiprocessor holds at a time, and what keeps it from holding more.";
        d.question =
            "Would fewer registers, smaller blocks or less shared memory let more warps hide each other's waiting?";
        d.about =
            "A multiprocessor has 65,536 registers, given to warps in pieces of 256, and shared memory of which each "
            "block "
            "takes 1 KiB besides its own. The scarcest of threads, blocks, registers and shared memory decides. More "
            "occupancy hides more latency; it is no aim by itself: `flash2-mma` runs best with few, large blocks.";
        d.devices = {"vgpu"};
        Parameter threads =
            Parameter::integer("threads", "Threads a block", 128, 32, 1024, "Rounded up to whole warps.");
        threads.sliderStep = 32;
        Parameter registers = Parameter::integer("registers", "Registers a thread", 64, 16, 255, "As ptxas -v says.");
        registers.sliderStep = 1;
        Parameter shared =
            Parameter::integer("shared", "Shared memory a block", 16384, 0, 227 * 1024, "Static and dynamic.");
        shared.sliderStep = 1024;
        shared.unit = std::string("B"); // not a literal: g++ 12 warns of an overlap that is none
        d.parameters = {devices::gpuParameter(), threads, registers, shared};
        return d;
    }

    double estimatedSeconds(const Settings&) const override { return 0.01; }

    MemoryNeed neededMemory(const Settings&, const std::string& /*device*/) const override { return {}; }

    void run(const Settings& s, Run& run) override {
        const vgpu::GpuProfile& gpu = vgpu::gpuProfile(s.text("gpu"));
        const int64_t threads = s.integer("threads"), shared = s.integer("shared");
        const auto registers = static_cast<int>(s.integer("registers"));
        const vgpu::Occupancy here = vgpu::occupancy(gpu, threads, registers, shared);
        const auto metric = [&](const char* id, const char* title, double value, const char* unit,
                                std::string caption) {
            Metric m;
            m.value = value;
            m.unit = unit;
            m.format = "{:.0f}";
            m.caption = std::move(caption);
            m.provenance = Provenance::Modelled;
            run.put({id, title, "", "", Figure::Place::Headline, std::move(m)});
        };
        metric("share", "Occupancy", 100 * here.share, "%",
               fmt::format("of the {} threads a multiprocessor holds", gpu.maxThreads));
        metric("blocks", "Blocks", here.blocks, "", fmt::format("blocks at a time, limited by {}", here.limit));
        metric("warps", "Warps", static_cast<double>(here.blocks * ((threads + 31) / 32)), "",
               fmt::format("warps of {}", gpu.maxThreads / 32));

        const auto put = [&](const char* id, const char* title, Figure::Place place, Axis x, double at, double first,
                             double last, double step, auto&& occupancyAt) {
            Series series;
            series.x = std::move(x);
            series.y = {"occupancy", "%", Scale::Linear, 0.0, 105.0, {}, false};
            Curve all = curve("all", "occupancy", Curve::Style::Line);
            for (double v = first; v <= last; v += step) {
                all.x.push_back(v);
                all.y.push_back(100 * occupancyAt(v).share);
            }
            Curve now = curve("now", "these settings", Curve::Style::Points);
            now.colourKey = "now";
            now.x = {at};
            now.y = {100 * here.share};
            series.curves = {all, now};
            run.put({id, title, std::string(gpu.name),
                     "The other two settings as they are. **Modelled** by the rules of the CUDA "
                     "programming guide.",
                     place, std::move(series)});
        };
        put("registers", "Against registers", Figure::Place::Main,
            {"registers a thread", "", Scale::Linear, {}, {}, {}, false}, registers, 16, 255, 1,
            [&](double v) { return vgpu::occupancy(gpu, threads, static_cast<int>(v), shared); });
        put("threads", "Against threads", Figure::Place::Support,
            {"threads a block", "", Scale::Linear, {}, {}, {}, false}, static_cast<double>(threads), 32, 1024, 32,
            [&](double v) { return vgpu::occupancy(gpu, static_cast<int64_t>(v), registers, shared); });
        put("shared", "Against shared memory", Figure::Place::Support,
            {"shared memory a block", "B", Scale::Linear, {}, {}, {}, false}, static_cast<double>(shared), 0,
            static_cast<double>(gpu.sharedBytes), 1024,
            [&](double v) { return vgpu::occupancy(gpu, threads, registers, static_cast<int64_t>(v)); });
        Table table;
        table.columns = {{"limit", "Resource", "", false, {}, ""},
                         {"blocks", "Blocks it would allow", "", true, Provenance::Modelled, ""}};
        for (const auto& [name, blocks] : vgpu::occupancyLimits(gpu, threads, registers, shared))
            table.rows.push_back({std::string(name), static_cast<int64_t>(blocks)});
        run.put({"limits", "What limits", "the least decides", "Blocks that each resource alone would allow.",
                 Figure::Place::Support, std::move(table)});
    }
};

} // namespace

std::unique_ptr<Experiment> makeOccupancy() { return std::make_unique<OccupancyCalculator>(); }

} // namespace warplight::labs::inspector
