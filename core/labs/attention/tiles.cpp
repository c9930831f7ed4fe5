// SPDX-License-Identifier: GPL-3.0-or-later
// Flash attention step by step on a small problem: every number is what the real kernel told while it ran.
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/tiles_scene.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using namespace lab;

class Tiles : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "attention.tiles";
        d.lab = "Attention";
        d.title = "Tiles";
        d.sentence = "Flash attention, tile by tile: what is read, and the running maximum and sum of every row.";
        d.question = "How can softmax be computed without ever holding a row of scores?";
        d.about =
            "For each tile: **m** ← max(m, tile maximum), the old sum and output are multiplied by e^(m_old − "
            "m), then the tile's terms are added. At the end O is divided by the sum; log-sum-exp = m + ln(sum). "
            "**flash2** takes all keys for a tile of queries (FlashAttention-2, algorithm 1); **flash1** takes all "
            "queries for a tile of keys, and O goes to memory and back each time.";
        d.devices = {"vgpu", "cpu"};
        d.colours = workbench::coloursOf(attentionOperator());
        const workbench::Operator attention = attentionOperator();
        for (const workbench::Implementation& rung : attention.ladder)
            d.colours[rung.id] = rung.colour;
        for (const workbench::TensorSpec& tensor : attention.tensors)
            d.colours["tensor." + tensor.label()] = tensor.colour;
        Parameter dim = Parameter::integer("headDim", "Head dimension", 16, 1, 128,
                                           "Features of the head; up to 32 on the virtual GPU.");
        d.parameters = {
            devices::onDevice(Parameter::choice("kernel", "Kernel", "flash2",
                                                {{"flash2", "flash2", "Outer loop over queries."},
                                                 {"flash1", "flash1", "Outer loop over keys."}},
                                                "Whose walk is recorded."),
                              "vgpu"),
            Parameter::integer("seqLen", "Sequence length", 32, 1, 64, "Rows of Q and keys."),
            dim,
            devices::onDevice(
                Parameter::choice("tile", "Tile", "8", {{"8", "8", ""}, {"16", "16", ""}, {"32", "32", ""}},
                                  "Queries and keys that a tile holds; what the kernels are compiled for."),
                "vgpu"),
            devices::onDevice(Parameter::integer("queryTile", "Query tile", 8, 1, 64, "Rows of Q that a tile holds."),
                              "cpu"),
            devices::onDevice(Parameter::integer("keyTile", "Key tile", 8, 1, 64, "Keys that a tile holds."), "cpu"),
            Parameter::flag("causal", "Causal mask", true,
                            "Tiles above the diagonal are skipped: nothing of them is read."),
            Parameter::choice("input", "Input", "gaussian", inputKinds(), "What Q, K and V hold."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs."),
        };
        return d;
    }

    double estimatedSeconds(const Settings&) const override { return 0.05; }
    MemoryNeed neededMemory(const Settings& settings, const std::string& device) const override {
        const int64_t length = settings.integer("seqLen");
        const auto tile = [&](const char* size) -> int64_t {
            return std::min<int64_t>(length,
                                     device == "vgpu" ? std::stoll(settings.text("tile")) : settings.integer(size));
        };
        const int64_t queries = tile("queryTile"), keys = tile("keyTile");
        const int64_t steps = ((length + queries - 1) / queries) * ((length + keys - 1) / keys);
        return {steps * sceneBytes(queries, keys, steps), 0, fmt::format("A walk over {} tiles", steps),
                "seqLen, or larger tiles"};
    }

    void run(const Settings& settings, Run& run) override {
        const bool onGpu = run.device() == "vgpu";
        cpu::AttentionProblem shape;
        shape.queryLen = shape.keyLen = settings.integer("seqLen");
        shape.headDim = settings.integer("headDim");
        shape.causal = settings.flag("causal");
        if (onGpu && shape.headDim > 32)
            throw InputError(
                fmt::format("headDim {}: the kernels that tell of their tiles are compiled for at most 32; "
                            "choose the device cpu for more",
                            shape.headDim));
        AttentionInputs inputs = makeInputs(shape, settings.text("input"),
                                            static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
        TileWalk walk;
        walk.shape = inputs.problem;
        walk.queryTile = onGpu ? std::stoll(settings.text("tile")) : settings.integer("queryTile");
        walk.keyTile = onGpu ? walk.queryTile : settings.integer("keyTile");
        walk.kernel = onGpu ? settings.text("kernel") : "flash";
        if (onGpu)
            walkOnGpu(run, inputs, walk);
        else
            walkOnCpu(run, inputs, walk);
        show(run, walk, onGpu);
        headlines(run, inputs, walk);
    }

  private:
    static void walkOnGpu(Run& run, AttentionInputs& inputs, TileWalk& walk) {
        const auto device = vgpu::makeVirtualDevice();
        gpu::KernelLibrary library(*device);
        gpu::AttentionOptions options;
        options.tile = walk.queryTile;
        options.cancel = run.cancelToken();
        options.onTile = [&](const gpu::TileVisit& v) {
            run.checkCancelled();
            walk.steps.push_back({v.queryBegin, v.queryEnd, v.keyBegin, v.keyEnd, false, v.rows, v.scores, v.moved});
        };
        inputs.o = gpu::attentionForward(library, gpu::attentionRungByName(walk.kernel), gpuShape(inputs.problem),
                                         inputs.q.data(), inputs.k.data(), inputs.v.data(), options)
                       .o;
        inputs.problem.o = inputs.o.data();
    }

    static void walkOnCpu(Run& run, AttentionInputs& inputs, TileWalk& walk) {
        cpu::Execution execution;
        execution.cancel = run.cancelToken();
        execution.queryTile = walk.queryTile;
        execution.keyTile = walk.keyTile;
        execution.observer = [&](const cpu::TileVisit& v) {
            run.checkCancelled();
            TileStep step{v.queryBegin, v.queryEnd, v.keyBegin, v.keyEnd, v.skipped, {}, {}, {}};
            for (const cpu::RowUpdate& row : v.rows)
                step.rows.push_back({row.row, row.runningMax, row.runningSum, row.rescale});
            step.scores.assign(v.scores.begin(), v.scores.end());
            if (v.bytesRead > 0)
                step.moved["Q, K, V"].first = v.bytesRead;
            if (v.bytesWritten > 0)
                step.moved["O"].second = v.bytesWritten;
            walk.steps.push_back(std::move(step));
        };
        cpu::attentionForward(cpu::Implementation::Flash, inputs.problem, execution);
    }

    static void show(Run& run, const TileWalk& walk, bool onGpu) {
        run.put(
            {"walk", "Tile walk", "what is in memory, what is on the chip, what moves",
             (onGpu
                  ? fmt::format(
                        "Recorded from the compiled kernel `{}` while it ran on the virtual GPU, block after block: it "
                        "writes each row's scores, maximum and sum down after every tile (**measured**; the scores are "
                        "multiplied out once more for that, by the same function from the same tiles), and every byte "
                        "between two tiles is **counted**. Tiles that no block visits are hatched.",
                        walk.kernel)
                  : std::string(
                        "Recorded from the `flash` rung by an observer that it calls after every tile: order, scores, "
                        "running maximum and sum are **measured** in this run, the bytes **counted**.")) +
                 "\n\nLeft, memory: the tiles that this step is about are bright. A line means that a tile moves. "
                 "Right, "
                 "the chip: the tile of scores S, and for each of its rows the running maximum m (the tick: what it "
                 "was "
                 "before), the running sum l, and what the old sum and output were multiplied by. All steps have the "
                 "same scales. Below: S as far as it has been, a value a tile (its largest score), and the bytes "
                 "moved; "
                 "dashed: standard attention's, **modelled** as 4·(4Nd + 4N²).",
             Figure::Place::Main, tilesScenes(walk)});
        Series bytes;
        bytes.x = {"step", "", Scale::Linear, {}, {}, {}, false};
        bytes.y = {"bytes moved so far", "B", Scale::Linear, 0.0, {}, {}, false};
        Curve flash, standard;
        flash.id = flash.label = flash.colourKey = walk.kernel;
        flash.provenance = Provenance::Counted;
        standard.id = standard.label = standard.colourKey = "standard";
        standard.provenance = Provenance::Modelled;
        standard.style = Curve::Style::Line;
        double moved = 0;
        for (size_t i = 0; i < walk.steps.size(); ++i) {
            for (const auto& [tensor, both] : walk.steps[i].moved)
                moved += static_cast<double>(both.first + both.second);
            flash.x.push_back(static_cast<double>(i + 1));
            flash.y.push_back(moved);
        }
        standard.x = flash.x;
        standard.y.assign(flash.x.size(), totalStandardBytes(walk.shape));
        bytes.curves = {std::move(flash), std::move(standard)};
        run.put({"bytes", "Bytes moved", walk.kernel + " as it runs, standard by its formula",
                 walk.kernel +
                     ": **counted** up to each tile. Standard: **modelled**, 4·(4Nd + 4N²) bytes for the whole run.",
                 Figure::Place::Support, std::move(bytes)});
    }

    static void headlines(Run& run, AttentionInputs& inputs, const TileWalk& walk) {
        const std::vector<float> flash = inputs.o;
        cpu::Execution execution;
        execution.cancel = run.cancelToken();
        cpu::attentionForward(cpu::Implementation::Reference, inputs.problem, execution);
        double worst = 0;
        for (size_t i = 0; i < flash.size(); ++i)
            worst = std::max(worst, std::fabs(static_cast<double>(flash[i]) - static_cast<double>(inputs.o[i])));
        const auto metric = [&](const char* id, double value, const char* unit, const char* format, std::string caption,
                                Provenance provenance) {
            run.put({id, caption, "", "", Figure::Place::Headline,
                     Metric{value, unit, format, caption, {}, {}, provenance, {}}});
        };
        metric("moved", walk.steps.empty() ? 0 : walk.bytesUpTo(walk.steps.size() - 1), "B", "",
               "moved by " + walk.kernel + " in this run", Provenance::Counted);
        metric("standardMoves", totalStandardBytes(inputs.problem), "B", "", "moved by standard attention",
               Provenance::Modelled);
        metric("largestDifference", worst, "", "{:.2g}", "largest difference from the reference", Provenance::Measured);
    }
};

} // namespace

std::unique_ptr<Experiment> makeTiles() { return std::make_unique<Tiles>(); }

} // namespace warplight::labs::attention
