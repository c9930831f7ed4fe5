// SPDX-License-Identifier: GPL-3.0-or-later
// The attention map of one head, lazily: coarse levels from one streaming pass, fine tiles when somebody looks at them.
#include "core/cpu/attention/attention_map.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/map_inputs.h"
#include "core/labs/attention/map_tiles.h"
#include "core/labs/attention/model_head.h"
#include "core/labs/attention/tensors.h"
#include "core/tensor/release.h"
#include "gpu/host/memory_budget.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <exception>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using namespace lab;

constexpr int64_t summaryCell = int64_t{1} << summaryLevel; // levels from there on come from the streaming pass
constexpr int64_t marginalPoints = 1024;                    // longer marginals are averaged over neighbours
constexpr int64_t topKeys = 10;
constexpr const char* exampleText =
    "A tile of keys is read once. A tile of values is read once. A tile of keys is read once more.";
constexpr int64_t mostLabelBytes = 64 << 20; // a million tokens are some 10 MB

std::vector<std::string> readLabels(const std::string& file, const std::atomic<bool>* cancel) {
    std::vector<std::string> labels;
    if (file.empty())
        return labels;
    std::istringstream in(contentsOfFile(file, mostLabelBytes, "a text file with a token a line", cancel));
    for (std::string line; std::getline(in, line);)
        labels.push_back(line);
    return labels;
}

double meanOf(std::span<const float> x) {
    return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(std::max<size_t>(1, x.size()));
}
double largestOf(std::span<const float> x) { return static_cast<double>(*std::max_element(x.begin(), x.end())); }

/// At most marginalPoints points of a long row, each standing for its neighbours.
Curve marginal(const std::string& name, const std::vector<float>& values,
               double (*standFor)(std::span<const float>) = meanOf) {
    Curve curve;
    curve.id = curve.label = name;
    curve.colourKey = "flash";
    curve.style = Curve::Style::Line;
    curve.provenance = Provenance::Counted;
    const auto count = static_cast<int64_t>(values.size()), step = (count + marginalPoints - 1) / marginalPoints;
    for (int64_t i = 0; i < count; i += step) {
        const int64_t end = std::min(i + step, count);
        curve.x.push_back(static_cast<double>(i + end - 1) / 2);
        curve.y.push_back(standFor(std::span(values).subspan(static_cast<size_t>(i), static_cast<size_t>(end - i))));
    }
    return curve;
}

Figure marginalFigure(std::string id, std::string title, Axis x, Axis y, Curve curve, std::string explain) {
    Series series;
    series.x = std::move(x);
    series.y = std::move(y);
    series.curves.push_back(std::move(curve));
    return {
        std::move(id),
        std::move(title),
        series.y.unit,
        std::move(explain) +
            " **Counted** over all of this run's probabilities; more than 1,024 points are averaged over neighbours.",
        Figure::Place::Support,
        std::move(series)};
}

void putMetric(Run& run, const char* id, double value, std::string unit, std::string format, std::string caption,
               Figure::Place place = Figure::Place::Headline) {
    run.put({id, caption, "", "", place,
             Metric{value, std::move(unit), std::move(format), caption, {}, {}, Provenance::Counted, {}}});
}

/// What a selected row shows: its distribution, its strongest keys.
void showRow(Run& run, const MapHead& head, int64_t row) {
    if (row < 0 || row >= head.problem.queryLen)
        throw InputError(fmt::format("row {} lies outside the map, expected 0 to {}", row, head.problem.queryLen - 1));
    std::vector<float> p(static_cast<size_t>(head.problem.keyLen));
    cpu::mapRow(head.problem, head.lse[static_cast<size_t>(row)], row, p);
    Series series;
    series.x = {"key", "", Scale::Linear, {}, {}, {}, false};
    series.y = {"probability", "", Scale::Linear, 0.0, {}, {}, false};
    series.curves.push_back(marginal("P", p, largestOf));
    run.put(
        {"row", fmt::format("Row {}", head.token(row)), "P over keys",
         "P = exp(S − lse) of the selected query, recomputed from Q, K and the log-sum-exp; of more than 1,024 keys "
         "each point is the largest of its neighbours.",
         Figure::Place::Detail, std::move(series)});
    std::vector<int64_t> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    const auto count = std::min<int64_t>(topKeys, static_cast<int64_t>(order.size()));
    std::partial_sort(order.begin(), order.begin() + count, order.end(),
                      [&](int64_t a, int64_t b) { return p[static_cast<size_t>(a)] > p[static_cast<size_t>(b)]; });
    const auto i = static_cast<size_t>(row);
    Table table;
    table.columns = {{"key", "Key", "", false, {}, ""}, {"probability", "P", "", true, Provenance::Counted, "{:.4g}"}};
    for (int64_t key : std::span(order).first(static_cast<size_t>(count)))
        table.rows.push_back({head.token(key), static_cast<double>(p[static_cast<size_t>(key)])});
    run.put(
        {"rowFacts", fmt::format("Row {}", row), "counted",
         "Entropy −Σ P log₂ P, share of the first keys, keys left after cutting 2.5 % of the mass off each end, and "
         "the log-sum-exp of the selected query.",
         Figure::Place::Detail,
         Note{fmt::format("Entropy **{:.2f} bits** · first keys **{:.1f} %** · span **{} keys** · "
                          "log-sum-exp **{:.4f}**",
                          head.entropy[i], 100 * head.summary.sinkShare[i], head.summary.span95[i], head.lse[i])}});
    run.put({"topKeys", "Strongest keys", "", "The ten largest probabilities of the selected query.",
             Figure::Place::Detail, std::move(table)});
}

class Map : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "attention.map";
        d.lab = "Attention";
        d.title = "Map";
        d.sentence =
            "Attention map of a fused run: tiles are recomputed from Q, K and the log-sum-exp; no N × N matrix exists.";
        d.question = "Where does a head look, and how can that be seen when the kernel never stores P?";
        d.about = "**P** = exp(S − lse), tile by tile, as flash attention's backward pass does. Entropy −Σ P log₂ P; "
                  "sinks: share on the first keys; span: keys left after cutting 2.5 % of the mass off each end.";
        d.devices = {"cpu"};
        d.colours = workbench::coloursOf(attentionOperator());
        d.dropFiles = "qFile";
        auto kinds = mapInputKinds();
        kinds.insert(kinds.end() - 1, {"model", "A GPT that reads a text", "Q and K of one of its heads"});
        const std::string tensors = "Tensors (*.npy *.npz *.safetensors)";
        d.parameters = {
            Parameter::choice("input", "Input", "mixed", std::move(kinds),
                              "Made-up structure, a model's head, or your own Q and K."),
            Parameter::integer("seqLen", "Sequence length", 2048, 1, 1 << 20,
                               "Queries of the made-up inputs, and keys if not told otherwise."),
            Parameter::integer("keyLen", "Key length", 0, 0, 1 << 20,
                               "Keys of an unstructured input; 0 is as many as queries."),
            Parameter::integer("headDim", "Head dimension", 64, 1, 512, "Features of the made-up inputs."),
            Parameter::flag("causal", "Causal mask", true, "Query i sees keys 0 to i (aligned bottom-right)."),
            Parameter::choice("pooling", "Coarse cells show", "max", {{"max", "Maximum", ""}, {"mean", "Mean", ""}},
                              "How a coarse cell stands for those below it."),
            Parameter::choice("colour", "Colour", "log", {{"log", "Logarithm of P", ""}, {"linear", "P", ""}},
                              "Scale of the colours."),
            Parameter::integer("sinkKeys", "Sink keys", 4, 1, 64, "The first keys whose share is told."),
            Parameter::integer("row", "Selected row", -1, -1, 1 << 20, "-1 is the last query."),
            Parameter::file("model", "Model", "Models (config.json *.safetensors)",
                            "config.json of a GPT-2's folder, as `warplight-cli train` and Hugging Face write them; "
                            "empty: the small one that comes with the program, trained on its documents byte by byte."),
            Parameter::text("text", "Text", exampleText, "What the model reads: its tokens stand on the axes."),
            Parameter::integer("layer", "Layer", 1, 0, 1 << 10, "Block of the model, counted from 0."),
            Parameter::file("qFile", "Q", tensors,
                            "FILE.npy, FILE.npz:key or FILE.safetensors:name; used when the input is your files."),
            Parameter::file("kFile", "K", tensors, "As Q; may have fewer heads and another length."),
            Parameter::choice(
                "layout", "Layout", "BHND",
                {{"BHND", "batch, heads, sequence, features", ""}, {"BNHD", "batch, sequence, heads, features", ""}},
                "Of four-dimensional files."),
            Parameter::integer("head", "Head", 0, 0, 1 << 20,
                               "Of the model's layer, or of your files (batch times heads), counted from 0."),
            Parameter::file("labels", "Token labels", "Text (*.txt)", "A text file with a token a line."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the made-up inputs."),
        };
        for (Parameter& parameter : d.parameters) {
            const std::string& id = parameter.id;
            if (id == "qFile" || id == "kFile" || id == "layout")
                parameter.shownWhen = {when("input", {"files"})};
            else if (id == "model" || id == "text" || id == "layer")
                parameter.shownWhen = {when("input", {"model"})};
            else if (id == "head")
                parameter.shownWhen = {when("input", {"files", "model"})};
            else if (id == "labels")
                parameter.shownWhen = {unless("input", {"model"})};
            else if (id == "seqLen" || id == "keyLen" || id == "headDim" || id == "seed")
                parameter.shownWhen = {unless("input", {"files", "model"})};
        }
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        constexpr double cellsPerSecond = 1.5e9; // of both passes together on two cores, headDim 64
        double rows = static_cast<double>(settings.integer("seqLen")),
               cols = settings.integer("keyLen") ? static_cast<double>(settings.integer("keyLen")) : rows,
               dim = static_cast<double>(settings.integer("headDim"));
        if (settings.text("input") == "model")
            return secondsToRead(headOf(settings));
        if (settings.text("input") == "files")
            try {
                const auto lengthOf = [&](const char* id) {
                    const auto shape = formats::tensorEntry(settings.text(id)).shape;
                    const size_t axis = shape.size() == 4 && settings.text("layout") == "BNHD" ? 3 : 2;
                    dim = static_cast<double>(shape.back());
                    return static_cast<double>(shape.at(shape.size() - axis));
                };
                rows = lengthOf("qFile");
                cols = lengthOf("kFile");
            } catch (const std::exception&) { // run() says what is wrong with the file, at once
                return 0;
            }
        return rows * cols * dim / 64 / cellsPerSecond;
    }

    /// Q and K, as made and packed; the pooled map; columns that are summed up in bands. Files say what they need
    /// themselves.
    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        if (const std::string& input = settings.text("input"); input == "files" || input == "model")
            return {};
        cpu::AttentionProblem shape;
        shape.queryLen = settings.integer("seqLen");
        shape.keyLen = settings.integer("keyLen") ? settings.integer("keyLen") : shape.queryLen;
        shape.headDim = settings.integer("headDim");
        return {
            saturatedSum(inputBytes(shape), cpu::mapBytes(shape.queryLen, shape.keyLen, shape.headDim, summaryCell)), 0,
            fmt::format("A map of {} × {} with {} features", shape.queryLen, shape.keyLen, shape.headDim),
            "seqLen, keyLen or headDim"};
    }

    void run(const Settings& settings, Run& run) override {
        auto head = std::make_shared<MapHead>();
        const ReleasesBeside release(head);
        takeInputs(*head, settings, run);
        const MapInputs& x = head->inputs;
        head->problem = {
            x.queryLen, x.keyLen,  x.headDim, 1.0f / std::sqrt(static_cast<float>(x.headDim)), settings.flag("causal"),
            x.q.data(), x.k.data()};
        head->pooling = settings.text("pooling") == "max" ? cpu::Pooling::Max : cpu::Pooling::Mean;
        head->lse.resize(static_cast<size_t>(x.queryLen));
        head->entropy.resize(head->lse.size());
        cpu::mapStatistics(head->problem, head->lse, head->entropy, 0, run.cancelToken(), [&](int64_t rows) {
            if (rows % 1536 == 0) // some ten times a second
                run.progress(0.4 * static_cast<double>(rows) / static_cast<double>(x.queryLen),
                             fmt::format("log-sum-exp: {} of {} rows", rows, x.queryLen));
        });
        putMap(run, *head, settings);
        summarise(run, *head, settings);
        run.serveTiles("map", std::make_shared<MapTiles>(head));
        volunteerOverview(run, head);
        marginals(run, *head, settings);
        const int64_t row = settings.integer("row") < 0 ? x.queryLen - 1 : settings.integer("row");
        showRow(run, *head, row);
        run.onSelect("map", [head](Run& again, int64_t selected, int64_t) { showRow(again, *head, selected); });
    }

  private:
    static ModelHead headOf(const Settings& settings) {
        return {settings.text("model"), settings.text("text"), settings.integer("layer"), settings.integer("head")};
    }

    static void takeInputs(MapHead& head, const Settings& settings, Run& run) {
        const std::string& input = settings.text("input");
        if (input == "model") {
            ModelInputs read = readByModel(headOf(settings), run.cancelToken());
            head.inputs = std::move(read.inputs);
            head.labels = std::move(read.tokens);
            if (read.leftOut > 0)
                run.log(fmt::format("The model sees {} tokens: the last {} of the text are left out.",
                                    head.inputs.queryLen, read.leftOut),
                        Log::Level::Warning);
            return;
        }
        head.labels = readLabels(settings.text("labels"), run.cancelToken());
        const int64_t keyLen = settings.integer("keyLen") ? settings.integer("keyLen") : settings.integer("seqLen");
        head.inputs = input == "files"
                          ? loadMapInputs({settings.text("qFile"), settings.text("kFile"), ""}, settings.text("layout"),
                                          settings.integer("head"), run.cancelToken())
                          : makeMapInputs(input, settings.integer("seqLen"), keyLen, settings.integer("headDim"),
                                          static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
    }

    static void putMap(Run& run, const MapHead& head, const Settings& settings) {
        Heatmap map;
        map.rows = head.problem.queryLen;
        map.cols = head.problem.keyLen;
        map.x = {"key", "", Scale::Linear, {}, {}, head.labels, false};
        map.y = {"query", "", Scale::Linear, {}, {}, head.labels, true};
        map.valueTitle = "P";
        map.valueScale = settings.text("colour") == "log" ? Scale::Log10 : Scale::Linear;
        map.valueMaximum = 1;
        map.valueMinimum = settings.text("colour") == "log"
                               ? std::min(1e-3, 0.1 / static_cast<double>(std::max<int64_t>(1, head.problem.keyLen)))
                               : 0;
        map.lazy = true;
        map.tileSize = mapTileSize;
        map.levels = head.levels();
        map.pooling = settings.text("pooling");
        map.selectable = true;
        run.put({"map", "P = softmax(QKᵀ/√d)", fmt::format("{} × {}", map.rows, map.cols),
                 "Each tile is recomputed from Q, K and the log-sum-exp when it is looked at: P = exp(S − lse). Levels "
                 "of 64 and more cells an edge come from one streaming pass. **Counted**: every cell is computed, none "
                 "is modelled.",
                 Figure::Place::Main, std::move(map)});
    }

    static void summarise(Run& run, MapHead& head, const Settings& settings) {
        int64_t done = 0;
        cpu::mapSummary(
            head.problem, head.lse, summaryCell, settings.integer("sinkKeys"), head.summary, 0, run.cancelToken(),
            [&](int64_t) {
                run.progress(0.4 + 0.6 * static_cast<double>(++done) / static_cast<double>(head.summary.rows),
                             fmt::format("map: {} of {} block rows", done, head.summary.rows));
                // The map grows on the screen: what is not computed yet is 0 there and comes again when it is.
                if (head.levels() > summaryLevel && done % std::max<int64_t>(1, head.summary.rows / 16) == 0)
                    run.putTile(coarsest(head, false));
            });
    }

    static TilePut coarsest(const MapHead& head, bool final) {
        TilePut tile;
        tile.figure = "map";
        tile.level = head.levels() - 1;
        tile.final = final;
        const int64_t cell = int64_t{1} << tile.level;
        tile.rows = (head.problem.queryLen + cell - 1) / cell;
        tile.cols = (head.problem.keyLen + cell - 1) / cell;
        tile.cells.resize(static_cast<size_t>(tile.rows * tile.cols));
        // An alias without ownership: the tile source lives only for this call.
        MapTiles(std::shared_ptr<const MapHead>(std::shared_ptr<const MapHead>(), &head)).pool(tile);
        return tile;
    }

    static void volunteerOverview(Run& run, const std::shared_ptr<MapHead>& head) {
        TilePut overview = head->levels() > summaryLevel
                               ? coarsest(*head, true)
                               : MapTiles(head).tile(head->levels() - 1, 0, 0, *run.cancelToken());
        overview.figure = "map";
        run.putTile(std::move(overview));
    }

    static void marginals(Run& run, const MapHead& head, const Settings& settings) {
        const Axis query{"query", "", Scale::Linear, {}, {}, {}, false},
            key{"key", "", Scale::Linear, {}, {}, {}, false};
        const std::vector<float> spans(head.summary.span95.begin(), head.summary.span95.end());
        run.put(marginalFigure(
            "entropy", "Entropy per query", query, {"entropy", "bits", Scale::Linear, 0.0, {}, {}, false},
            marginal("entropy", head.entropy), "−Σ P log₂ P of each row, from the online sums of the first pass."));
        run.put(marginalFigure("mass", "Mass per key", key, {"mass", "", Scale::Log10, {}, {}, {}, false},
                               marginal("mass", head.summary.massPerKey), "Σ over queries of P."));
        run.put(marginalFigure("sinks", "Share on the first keys", query,
                               {"share", "", Scale::Linear, 0.0, 1.0, {}, false},
                               marginal("sinks", head.summary.sinkShare),
                               fmt::format("Σ of P over the first {} keys.", settings.integer("sinkKeys"))));
        run.put(marginalFigure("span", "Span holding 95 %", query, {"keys", "", Scale::Linear, 0.0, {}, {}, false},
                               marginal("span", spans), "Keys left after cutting 2.5 % of the mass off each end."));
        putMetric(run, "meanEntropy", meanOf(head.entropy), "bits", "{:.2f}", "mean entropy of a query");
        putMetric(run, "meanSink", 100 * meanOf(head.summary.sinkShare), "%", "{:.1f}",
                  fmt::format("of the mass on the first {} keys", settings.integer("sinkKeys")));
        putMetric(run, "meanSpan", meanOf(spans), "keys", "{:.0f}", "hold 95 % of a query's mass, on average");
    }
};

} // namespace

std::unique_ptr<Experiment> makeMap() { return std::make_unique<Map>(); }

} // namespace warplight::labs::attention
