// Flash attention step by step on a small problem: every number is what the real kernel told while it ran.
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
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

namespace warplight::labs {
namespace {

using namespace lab;

constexpr double bytesPerFloat = 4;

/// Bytes standard attention moves for one head: Q, K, V read, O written, S written and read, P written and read.
double standardBytes(const cpu::AttentionProblem& p) {
    const double n = static_cast<double>(p.queryLen), d = static_cast<double>(p.headDim);
    return bytesPerFloat * (4 * n * d + 4 * n * n);
}

/// What a step shows: a tile that the GPU's or the CPU's kernel has just worked on.
struct Visit {
    int64_t queryBegin = 0, queryEnd = 0, keyBegin = 0, keyEnd = 0;
    bool skipped = false;
    std::vector<gpu::TileVisit::Row> rows;
    std::map<std::string, std::pair<int64_t, int64_t>> moved; ///< bytes read and written, by tensor
};

struct Walk {
    int64_t queryTile, keyTile;
    std::map<std::pair<int64_t, int64_t>, Steps::CellState> visited; ///< by (query begin, key begin)
    int64_t bytesRead = 0, bytesWritten = 0;
    int64_t steps = 0;
};

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
    /// Every step is a scene of all tiles; a step a tile.
    MemoryNeed neededMemory(const Settings& settings, const std::string& device) const override {
        const auto tiles = [&](const char* size) {
            const int64_t tile = device == "vgpu" ? std::stoll(settings.text("tile")) : settings.integer(size);
            return (settings.integer("seqLen") + tile - 1) / tile;
        };
        const int64_t steps = tiles("queryTile") * tiles("keyTile");
        constexpr int64_t factBytes = 16 << 10; // rows of statistics, captions
        return {steps * (steps * static_cast<int64_t>(sizeof(Steps::Cell)) + factBytes), 0,
                fmt::format("A walk over {} tiles", steps), "seqLen, or larger tiles"};
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
        Walk walk;
        walk.queryTile = onGpu ? std::stoll(settings.text("tile")) : settings.integer("queryTile");
        walk.keyTile = onGpu ? walk.queryTile : settings.integer("keyTile");
        const std::string kernel = onGpu ? settings.text("kernel") : "flash";
        begin(run, inputs.problem, walk, kernel, onGpu);
        if (onGpu)
            walkOnGpu(run, inputs, walk, kernel);
        else
            walkOnCpu(run, inputs, walk);
        finish(run, inputs, walk, kernel);
    }

  private:
    static void walkOnGpu(Run& run, AttentionInputs& inputs, Walk& walk, const std::string& kernel) {
        const auto device = vgpu::makeVirtualDevice();
        gpu::KernelLibrary library(*device);
        gpu::AttentionOptions options;
        options.tile = walk.queryTile;
        options.cancel = run.cancelToken();
        options.onTile = [&](const gpu::TileVisit& v) {
            show(run, inputs.problem, {v.queryBegin, v.queryEnd, v.keyBegin, v.keyEnd, false, v.rows, v.moved}, walk,
                 kernel);
        };
        inputs.o = gpu::attentionForward(library, gpu::attentionRungByName(kernel), gpuShape(inputs.problem),
                                         inputs.q.data(), inputs.k.data(), inputs.v.data(), options)
                       .o;
        inputs.problem.o = inputs.o.data();
    }

    static void walkOnCpu(Run& run, AttentionInputs& inputs, Walk& walk) {
        cpu::Execution execution;
        execution.cancel = run.cancelToken();
        execution.queryTile = walk.queryTile;
        execution.keyTile = walk.keyTile;
        execution.observer = [&](const cpu::TileVisit& v) {
            Visit visit{v.queryBegin, v.queryEnd, v.keyBegin, v.keyEnd, v.skipped, {}, {}};
            for (const cpu::RowUpdate& row : v.rows)
                visit.rows.push_back({row.row, row.runningMax, row.runningSum, row.rescale});
            visit.moved["all tensors"] = {v.bytesRead, v.bytesWritten};
            show(run, inputs.problem, visit, walk, "flash");
        };
        cpu::attentionForward(cpu::Implementation::Flash, inputs.problem, execution);
    }

    static void begin(Run& run, const cpu::AttentionProblem& p, Walk& walk, const std::string& kernel, bool onGpu) {
        Steps steps;
        steps.width = static_cast<double>((p.keyLen + walk.keyTile - 1) / walk.keyTile) + 5;
        steps.height = static_cast<double>((p.queryLen + walk.queryTile - 1) / walk.queryTile) + 2;
        run.put(
            {"walk", "Tile walk", "query tiles down, key tiles across",
             onGpu ? fmt::format("Recorded from the compiled kernel `{}` while it ran on the virtual GPU, block after "
                                 "block: it writes each row's maximum and sum down after every tile, and every byte "
                                 "between two tiles is **counted**. Tiles that the mask hides are hatched: no block "
                                 "visits them.",
                                 kernel)
                   : "Recorded from the `flash` rung by an observer that it calls after every tile: order, running "
                     "maximum, sum and bytes are **measured** in this run.",
             Figure::Place::Main, std::move(steps)});
        Series bytes;
        bytes.x = {"step", "", Scale::Linear, {}, {}, {}, false};
        bytes.y = {"bytes moved so far", "B", Scale::Linear, 0.0, {}, {}, false};
        run.put(
            {"bytes", "Bytes moved", kernel + " as it runs, standard by its formula",
             kernel + ": **counted** up to each tile. Standard: **modelled**, 4·(4Nd + 4N²) bytes for the whole run.",
             Figure::Place::Support, std::move(bytes)});
        if (!onGpu || !p.causal)
            return;
        for (int64_t q = 0; q < p.queryLen; q += walk.queryTile)
            for (int64_t k = q + walk.queryTile; k < p.keyLen; ++k) // the first key of a tile beyond the last query
                if (k % walk.keyTile == 0)
                    walk.visited[{q, k}] = Steps::CellState::Skipped;
    }

    static void show(Run& run, const cpu::AttentionProblem& p, const Visit& visit, Walk& walk,
                     const std::string& kernel) {
        run.checkCancelled();
        for (const auto& [tensor, bytes] : visit.moved) {
            walk.bytesRead += bytes.first;
            walk.bytesWritten += bytes.second;
        }
        const std::pair tile{visit.queryBegin, visit.keyBegin};
        walk.visited[tile] = visit.skipped ? Steps::CellState::Skipped : Steps::CellState::Current;
        run.appendStep("walk", scene(p, visit, walk));
        if (!visit.skipped)
            walk.visited[tile] = Steps::CellState::Done;
        Curve flash;
        flash.id = flash.label = flash.colourKey = kernel;
        flash.provenance = Provenance::Counted;
        flash.x = {static_cast<double>(++walk.steps)};
        flash.y = {static_cast<double>(walk.bytesRead + walk.bytesWritten)};
        run.appendPoint("bytes", flash);
        Curve standard;
        standard.id = standard.label = standard.colourKey = "standard";
        standard.provenance = Provenance::Modelled;
        standard.style = Curve::Style::Line;
        standard.x = flash.x;
        standard.y = {standardBytes(p)};
        run.appendPoint("bytes", standard);
    }

    static Steps::Step scene(const cpu::AttentionProblem& p, const Visit& visit, const Walk& walk) {
        Steps::Step step;
        step.labels.push_back({3, 0.5, "keys →", Steps::Label::Align::Left, true, false});
        for (int64_t q = 0; q < p.queryLen; q += walk.queryTile) {
            const double y = 1 + static_cast<double>(q / walk.queryTile);
            step.labels.push_back({2.8, y + 0.5,
                                   fmt::format("q {}–{}", q, std::min(q + walk.queryTile, p.queryLen) - 1),
                                   Steps::Label::Align::Right, false, true});
            for (int64_t k = 0; k < p.keyLen; k += walk.keyTile) {
                const auto found = walk.visited.find({q, k});
                step.cells.push_back({3 + static_cast<double>(k / walk.keyTile),
                                      y,
                                      0.92,
                                      0.92,
                                      "",
                                      found == walk.visited.end() ? Steps::CellState::Idle : found->second,
                                      {}});
            }
        }
        int64_t read = 0, written = 0;
        for (const auto& [tensor, bytes] : visit.moved) {
            read += bytes.first;
            written += bytes.second;
        }
        const std::string where = fmt::format("Keys {}–{}", visit.keyBegin, visit.keyEnd - 1),
                          whose = fmt::format("queries {}–{}", visit.queryBegin, visit.queryEnd - 1);
        step.caption = visit.skipped ? fmt::format("{} are hidden from {}: nothing is read.", where, whose)
                                     : fmt::format("{} meet {}: {} B are read, {} B written, of S 0 B ever.", where,
                                                   whose, read, written);
        statistics(step, visit.rows);
        for (const char* tensor : {"Q", "K", "V", "O", "m", "l", "lse", "all tensors"})
            if (const auto moved = visit.moved.find(tensor); moved != visit.moved.end())
                step.facts.push_back({fmt::format("{:<12}", tensor),
                                      fmt::format("{} B read, {} B written", moved->second.first, moved->second.second),
                                      Provenance::Counted});
        step.facts.push_back(
            {"bytes so far",
             fmt::format("{} of standard's {:.0f}", walk.bytesRead + walk.bytesWritten, standardBytes(p)),
             Provenance::Counted});
        return step;
    }

    /// A line for each row; of a tall tile the first ones.
    static void statistics(Steps::Step& step, const std::vector<gpu::TileVisit::Row>& rows) {
        constexpr size_t most = 16;
        if (!rows.empty())
            step.facts.push_back({"row", fmt::format("{:>9} {:>9} {:>9}", "max", "sum", "rescale"), {}});
        for (size_t i = 0; i < std::min(rows.size(), most); ++i)
            step.facts.push_back(
                {fmt::format("{:>3}", rows[i].row),
                 fmt::format("{:9.4f} {:9.4f} {:9.4f}", rows[i].runningMax, rows[i].runningSum, rows[i].rescale),
                 Provenance::Measured});
        if (rows.size() > most)
            step.facts.push_back({" … ", fmt::format("and {} rows more", rows.size() - most), {}});
    }

    static void finish(Run& run, const AttentionInputs& inputs, const Walk& walk, const std::string& kernel) {
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
        const double moved = static_cast<double>(walk.bytesRead + walk.bytesWritten);
        metric("moved", moved, "B", "{:.0f}", "moved by " + kernel + " in this run", Provenance::Counted);
        metric("standardMoves", standardBytes(inputs.problem), "B", "{:.0f}", "moved by standard attention",
               Provenance::Modelled);
        metric("largestDifference", worst, "", "{:.2g}", "largest difference from the reference", Provenance::Measured);
    }
};

} // namespace

std::unique_ptr<Experiment> makeTiles() { return std::make_unique<Tiles>(); }

} // namespace warplight::labs
