// Flash attention step by step on a small problem: every number is what the real `flash` rung told while it ran.
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/inputs.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace warplight::labs {
namespace {

using namespace lab;

constexpr double bytesPerFloat = 4;

/// Bytes standard attention moves for one head: Q, K, V read, O written, S written and read, P written and read.
double standardBytes(const cpu::AttentionProblem& p) {
    const double n = static_cast<double>(p.queryLen), d = static_cast<double>(p.headDim);
    return bytesPerFloat * (4 * n * d + 4 * n * n);
}

/// What is known of each query row and tile while the run goes on.
struct Walk {
    std::map<int64_t, cpu::RowUpdate> rows;                          ///< the spans in it are not kept
    std::map<std::pair<int64_t, int64_t>, Steps::CellState> visited; ///< by (query begin, key begin)
    int64_t bytesRead = 0, bytesWritten = 0;
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
        d.about = "For each tile: **m** ← max(m, tile maximum), the old sum and output are multiplied by e^(m_old − "
                  "m), then the tile's terms are added. At the end O is divided by the sum; log-sum-exp = m + ln(sum). "
                  "(FlashAttention-2, algorithm 1.)";
        d.devices = {"cpu"};
        d.parameters = {
            Parameter::integer("seqLen", "Sequence length", 16, 1, 64, "Rows of Q and keys."),
            Parameter::integer("headDim", "Head dimension", 8, 1, 128, "Features of the head."),
            Parameter::integer("queryTile", "Query tile", 4, 1, 64, "Rows of Q that a tile holds."),
            Parameter::integer("keyTile", "Key tile", 4, 1, 64, "Keys that a tile holds."),
            Parameter::flag("causal", "Causal mask", true,
                            "Tiles above the diagonal are skipped: nothing of them is read."),
            Parameter::choice("input", "Input", "gaussian", inputKinds(), "What Q, K and V hold."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs."),
        };
        return d;
    }

    double estimatedSeconds(const Settings&) const override { return 0.05; }

    void run(const Settings& settings, Run& run) override {
        cpu::AttentionProblem shape;
        shape.queryLen = shape.keyLen = settings.integer("seqLen");
        shape.headDim = settings.integer("headDim");
        shape.causal = settings.flag("causal");
        AttentionInputs inputs =
            makeInputs(shape, settings.text("input"), static_cast<uint64_t>(settings.integer("seed")));
        begin(run, inputs.problem, settings);

        Walk walk;
        cpu::Execution execution;
        execution.cancel = run.cancelToken();
        execution.queryTile = settings.integer("queryTile");
        execution.keyTile = settings.integer("keyTile");
        int64_t step = 0;
        execution.observer = [&](const cpu::TileVisit& visit) {
            show(run, inputs.problem, execution, visit, walk, ++step);
        };
        cpu::attentionForward(cpu::Implementation::Flash, inputs.problem, execution);
        finish(run, inputs, walk);
    }

  private:
    static void begin(Run& run, const cpu::AttentionProblem& p, const Settings& settings) {
        Steps steps;
        steps.width =
            static_cast<double>((p.keyLen + settings.integer("keyTile") - 1) / settings.integer("keyTile")) + 5;
        steps.height =
            static_cast<double>((p.queryLen + settings.integer("queryTile") - 1) / settings.integer("queryTile")) + 2;
        run.put({"walk", "Tile walk", "query tiles down, key tiles across",
                 "Recorded from the `flash` rung by an observer that it calls after every tile: order, running "
                 "maximum, sum and bytes are **measured** in this run.",
                 Figure::Place::Main, std::move(steps)});
        Series bytes;
        bytes.x = {"step", "", Scale::Linear, {}, {}, {}, false};
        bytes.y = {"bytes moved so far", "B", Scale::Linear, 0.0, {}, {}, false};
        run.put({"bytes", "Bytes moved", "flash as it runs, standard by its formula",
                 "Flash: **counted** at each tile read and row written. Standard: **modelled**, 4·(4Nd + 4N²) bytes "
                 "for the whole run.",
                 Figure::Place::Support, std::move(bytes)});
    }

    static void show(Run& run, const cpu::AttentionProblem& p, const cpu::Execution& execution,
                     const cpu::TileVisit& visit, Walk& walk, int64_t number) {
        run.checkCancelled();
        for (const cpu::RowUpdate& row : visit.rows)
            walk.rows.insert_or_assign(row.row, row);
        walk.bytesRead += visit.bytesRead;
        walk.bytesWritten += visit.bytesWritten;
        const std::pair tile{visit.queryBegin, visit.keyBegin};
        walk.visited[tile] = visit.skipped ? Steps::CellState::Skipped : Steps::CellState::Current;
        run.appendStep("walk", scene(p, execution, visit, walk));
        if (!visit.skipped)
            walk.visited[tile] = Steps::CellState::Done;
        Curve flash;
        flash.id = flash.label = flash.colourKey = "flash";
        flash.provenance = Provenance::Counted;
        flash.x = {static_cast<double>(number)};
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

    static Steps::Step scene(const cpu::AttentionProblem& p, const cpu::Execution& execution,
                             const cpu::TileVisit& visit, const Walk& walk) {
        Steps::Step step;
        step.labels.push_back({3, 0.5, "keys →", Steps::Label::Align::Left, true, false});
        for (int64_t q = 0; q < p.queryLen; q += execution.queryTile) {
            const double y = 1 + static_cast<double>(q / execution.queryTile);
            step.labels.push_back({2.8, y + 0.5,
                                   fmt::format("q {}–{}", q, std::min(q + execution.queryTile, p.queryLen) - 1),
                                   Steps::Label::Align::Right, false, true});
            for (int64_t k = 0; k < p.keyLen; k += execution.keyTile) {
                const auto found = walk.visited.find({q, k});
                step.cells.push_back({3 + static_cast<double>(k / execution.keyTile),
                                      y,
                                      0.92,
                                      0.92,
                                      "",
                                      found == walk.visited.end() ? Steps::CellState::Idle : found->second,
                                      {}});
            }
        }
        if (visit.skipped)
            step.caption = fmt::format("Keys {}–{} are hidden from queries {}–{}: nothing is read.", visit.keyBegin,
                                       visit.keyEnd - 1, visit.queryBegin, visit.queryEnd - 1);
        else
            step.caption =
                fmt::format("Keys {}–{} meet queries {}–{}: {} B are read, of S 0 B are ever written.", visit.keyBegin,
                            visit.keyEnd - 1, visit.queryBegin, visit.queryEnd - 1, visit.bytesRead);
        for (const cpu::RowUpdate& row : visit.rows)
            step.facts.push_back(
                {fmt::format("row {}", row.row),
                 fmt::format("max {:.4f} · sum {:.4f} · rescale {:.4f}", row.runningMax, row.runningSum, row.rescale),
                 Provenance::Measured});
        step.facts.push_back(
            {"bytes so far",
             fmt::format("{} of standard's {:.0f}", walk.bytesRead + walk.bytesWritten, standardBytes(p)),
             Provenance::Counted});
        return step;
    }

    static void finish(Run& run, const AttentionInputs& inputs, const Walk& walk) {
        const std::vector<float> flash = inputs.o;
        cpu::attentionForward(cpu::Implementation::Reference, inputs.problem);
        double worst = 0;
        for (size_t i = 0; i < flash.size(); ++i)
            worst = std::max(worst, std::fabs(static_cast<double>(flash[i]) - static_cast<double>(inputs.o[i])));
        const auto metric = [&](const char* id, double value, const char* unit, const char* format, std::string caption,
                                Provenance provenance) {
            run.put({id, caption, "", "", Figure::Place::Headline,
                     Metric{value, unit, format, caption, {}, {}, provenance, {}}});
        };
        const double moved = static_cast<double>(walk.bytesRead + walk.bytesWritten);
        metric("moved", moved, "B", "{:.0f}", "moved by flash in this run", Provenance::Counted);
        metric("standardMoves", standardBytes(inputs.problem), "B", "{:.0f}", "moved by standard attention",
               Provenance::Modelled);
        metric("largestDifference", worst, "", "{:.2g}", "largest difference from the reference", Provenance::Measured);
    }
};

} // namespace

std::unique_ptr<Experiment> makeTiles() { return std::make_unique<Tiles>(); }

} // namespace warplight::labs
