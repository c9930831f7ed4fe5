// SPDX-License-Identifier: GPL-3.0-or-later
// All patterns of sparse attention side by side, one of them large, and one to draw.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/linear/patterns_figures.h"
#include "core/labs/linear/sparse_lab.h"
#include "core/labs/linear/sparse_problem.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;
using sparse::Kind;

constexpr int64_t features = 64; ///< of the made-up Q and K that top-k and LSH go by
constexpr int64_t mapSide = 512; ///< cells of the large map at most
constexpr const char* example = "##..\n"
                                "###.\n"
                                ".###\n"
                                "#.##\n";

/// A mask that is written as rows of # and . of the same length, each letter for n / rows positions.
tensor::Tensor fromText(const std::string& text, int64_t n) {
    std::vector<std::string> rows(1);
    for (const char c : text)
        if (c == '\n')
            rows.emplace_back();
        else if (c != '\r' && c != ' ')
            rows.back() += c;
    std::erase_if(rows, [](const std::string& row) { return row.empty(); });
    if (rows.empty())
        throw InputError("drawing is empty, expected rows of # and .");
    for (const std::string& row : rows) {
        if (row.size() != rows.size())
            throw InputError(
                fmt::format("drawing: a row of {} letters, expected {}, as many as rows", row.size(), rows.size()));
        if (row.find_first_not_of("#.") != std::string::npos)
            throw InputError("drawing: expected nothing but # (seen) and . (hidden)");
    }
    tensor::Tensor mask{{n, n}, std::vector<float>(static_cast<size_t>(n * n))};
    const auto side = static_cast<int64_t>(rows.size());
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
            mask.values[static_cast<size_t>(i * n + j)] =
                rows[static_cast<size_t>(i * side / n)][static_cast<size_t>(j * side / n)] == '#';
    return mask;
}

/// What top-k and LSH go by.
struct Made {
    std::vector<float> q, k;
    sparse::Inputs view;
    Made(int64_t n, int64_t seed)
        : q(static_cast<size_t>(n * features)), k(q.size()), view{q.data(), k.data(), 1, 1, n, n, features} {
        tensor::fillGaussian(q, static_cast<uint64_t>(seed), 0);
        tensor::fillGaussian(k, static_cast<uint64_t>(seed), 1);
    }
};

/// A click on the map turns pairs over: the mask as it stands, shared by all clicks of a run.
struct Drawing {
    Judged judged;
    std::vector<uint8_t> mask;
    int64_t n = 0, brush = 1;
    bool causal = false;
};

Figure mapOf(const Drawing& drawing, const std::vector<float>& cells, int64_t side) {
    Heatmap map;
    map.rows = map.cols = side;
    map.cells = cells;
    map.x = {"key", "", Scale::Linear, {}, {}, {}, false};
    map.y = {"query", "", Scale::Linear, {}, {}, {}, true};
    map.valueTitle = "share of pairs kept";
    map.valueMinimum = 0;
    map.valueMaximum = 1;
    map.selectable = true;
    return {
        "map",
        fmt::format("Map of {}", drawing.judged.title),
        fmt::format("click: turns {0} × {0} pairs over", drawing.brush),
        "Queries down, keys to the right; a cell is one pair, or the share of pairs that are kept where the sequence "
        "is longer than 512. A click draws: it turns the pairs around over, and everything is counted anew.",
        Figure::Place::Main,
        std::move(map)};
}

class Patterns : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.patterns";
        d.lab = "Linear attention";
        d.title = "Patterns";
        d.sentence =
            "Which pairs of query and key each sparse pattern keeps, in which blocks, and how far layers reach.";
        d.question = "How few pairs are enough for everything to reach everything, and do they fill blocks?";
        d.about =
            "A mask sets scores to −∞ *before* the softmax. By itself it saves nothing: only blocks that no query sees "
            "are skipped, so a pattern is as cheap as its blocks, not as its pairs. Stacked layers reach further than "
            "one: two layers of the strided pattern connect every pair that causality allows.\n\n"
            "Sources: strided and fixed: Child et al. 2019; Longformer: Beltagy et al. 2020; BigBird: Zaheer et al. "
            "2020; LSH: Kitaev et al. 2020; top-k: Zhao et al. 2019.";
        d.devices = {"cpu"};
        d.colours = {{"reach", 3}};
        d.dropFiles = "mask";
        Parameter n = Parameter::integer("n", "Sequence length", 128, 1, 4096, "Positions: queries and keys.");
        n.sliderStep = 1;
        n.powersOfTwo = true;
        d.parameters = {patternParameter(true), n,
                        Parameter::flag("causal", "Causal mask", false, "No query sees a key behind it.")};
        d.parameters[0].doc = "The one that is drawn large.";
        for (const sparse::Field& field : sparse::fields()) {
            Parameter p = fieldParameter(field);
            p.shownWhen.clear(); // the gallery shows all patterns
            const std::string_view id = field.id;
            if (id == "stride" || id == "window" || id == "top")
                p.defaultValue = int64_t{8};
            if (id == "random")
                p.defaultValue = int64_t{1};
            if (id == "block")
                p.defaultValue = int64_t{16};
            if (id == "stride" || id == "window" || id == "top" || id == "global" || id == "random") {
                p.sliderStep = 1;
                p.maximum = id == "global" || id == "random" ? 32 : 128;
            }
            d.parameters.push_back(p);
        }
        Parameter drawing =
            Parameter::text("drawing", "Drawing", example,
                            "The pattern bitmap as rows of # (seen) and . (hidden), each letter for the "
                            "same number of positions.");
        drawing.multiline = true;
        d.parameters.push_back(drawing);
        d.parameters.push_back(
            Parameter::file("mask", "Mask", "Tensors (*.npy *.npz *.safetensors)",
                            "The pattern bitmap, [n, n]: 0 is hidden. In the place of the drawing."));
        d.parameters.push_back(
            Parameter::integer("brush", "Brush", 8, 1, 1024, "Queries and keys that a click on the map turns over."));
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const double n = static_cast<double>(s.integer("n")) / 1024;
        return 0.02 + 0.1 * n * n * n;
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        const int64_t n = s.integer("n");
        return {8 * n * n + 8 * n * features + (int64_t{32} << 20), 0, fmt::format("masks of {} positions", n), "n"};
    }

    void run(const Settings& settings, Run& run) override {
        const sparse::Parameters base = parametersFrom(settings);
        tensor::Tensor mask = maskFrom(settings, run);
        const int64_t n = mask.shape[0];
        const Made made(n, base.seed);
        std::vector<Judged> all;
        auto chosen = std::make_shared<Drawing>();
        for (const sparse::KindInfo& kind : sparse::kinds()) {
            run.progress(static_cast<double>(all.size()) / static_cast<double>(sparse::kinds().size()),
                         std::string(kind.title));
            sparse::Parameters p = base;
            p.kind = kind.id;
            if (p.kind == Kind::Fixed)
                p.global = std::min(p.global, p.stride);
            const sparse::Pattern pattern = kind.needsMask          ? sparse::makeBitmap(mask, p.causal, "mask")
                                            : kind.id == Kind::TopK ? makeTopK(p, made.view)
                                            : kind.id == Kind::Lsh  ? makeLsh(p, made.view)
                                                                    : makePattern(p, n, n);
            std::vector<uint8_t> pairs = sparse::maskOf(pattern, 0, run.cancelToken());
            Judged judged = judge(pattern, pairs, run);
            judged.name = kind.name;
            judged.title = kind.title;
            judged.rule = kind.rule;
            judged.look = linkTo("linear.patterns", fmt::format("Look at {}", kind.title), judged.name, settings);
            if (!kind.needsMask)
                judged.race =
                    linkTo("sparse-attention.race", fmt::format("Race {}", kind.title), judged.name, settings);
            if (kind.name == settings.text("pattern"))
                *chosen = {judged, std::move(pairs), n, settings.integer("brush"), pattern.causal};
            all.push_back(std::move(judged));
        }
        run.put(galleryOf(all));
        putChosen(*chosen, run);
        run.put(tableOf(all));
        run.onSelect("map", [chosen](Run& r, int64_t row, int64_t col) { turnOver(*chosen, row, col, r); });
    }

  private:
    static sparse::Parameters parametersFrom(const Settings& settings) {
        sparse::Parameters p;
        p.kind = sparse::kindByName(settings.text("pattern"));
        p.causal = settings.flag("causal");
        for (const sparse::Field& field : sparse::fields())
            p.*field.value = settings.integer(field.id);
        sparse::Parameters numbers = p;
        numbers.kind = Kind::Full; // what only one of all patterns refuses is seen to below
        check(numbers, [](const char* id) { return std::string(id); });
        return p;
    }

    /// The user's mask, whose length is that of all patterns.
    static tensor::Tensor maskFrom(const Settings& settings, Run& run) {
        const std::string& file = settings.text("mask");
        if (file.empty())
            return fromText(settings.text("drawing"), settings.integer("n"));
        tensor::Tensor mask = formats::loadTensor(file, run.cancelToken());
        constexpr int64_t longest = 4096;
        if (mask.shape.size() != 2 || mask.shape[0] != mask.shape[1] || mask.shape[0] < 1 || mask.shape[0] > longest)
            throw InputError(fmt::format("mask {}: shape {}, expected [n, n] up to {}", file,
                                         tensor::shapeText(mask.shape), longest));
        if (mask.shape[0] != settings.integer("n"))
            run.log(fmt::format("All patterns have the {} positions of the mask.", mask.shape[0]), Log::Level::Info);
        return mask;
    }

    static Judged judge(const sparse::Pattern& pattern, const std::vector<uint8_t>& mask, Run& run) {
        Judged judged;
        judged.numbers = sparse::statisticsOf(pattern, 0, run.cancelToken());
        judged.side = std::min(pattern.queries, gallerySide);
        judged.cells = pooled(mask, pattern.queries, judged.side, run.cancelToken());
        return judged;
    }

    Link linkTo(const char* experiment, std::string title, const std::string& pattern, const Settings& settings) const {
        Link link{std::move(title), experiment, {}};
        const bool own = link.experiment == "linear.patterns";
        for (const Parameter& p : describe().parameters) {
            const bool known = std::any_of(sparse::fields().begin(), sparse::fields().end(),
                                           [&](const sparse::Field& field) { return p.id == field.id; });
            if (own || known || p.id == "causal")
                link.settings[p.id] = valueText(p, settings.values().at(p.id));
        }
        link.settings["pattern"] = pattern;
        return link;
    }

    static void putChosen(const Drawing& drawing, Run& run) {
        const int64_t side = std::min(drawing.n, mapSide);
        putHeadlines(drawing.judged, run);
        run.put(mapOf(drawing, pooled(drawing.mask, drawing.n, side, run.cancelToken()), side));
        run.put(reachOf(drawing.judged));
    }

    /// All pairs of the brush's square become the opposite of what the cell's first pair is.
    static void turnOver(Drawing& drawing, int64_t row, int64_t col, Run& run) {
        const int64_t n = drawing.n, side = std::min(n, mapSide);
        if (row < 0 || col < 0 || row >= side || col >= side)
            return;
        const auto begin = [&](int64_t cell) { return cell * n / side / drawing.brush * drawing.brush; };
        const auto at = [&](int64_t i, int64_t j) -> uint8_t& { return drawing.mask[static_cast<size_t>(i * n + j)]; };
        const uint8_t turned = !at(row * n / side, col * n / side);
        for (int64_t i = begin(row); i < std::min(n, begin(row) + drawing.brush); ++i)
            for (int64_t j = begin(col); j < std::min(n, begin(col) + drawing.brush); ++j)
                at(i, j) = turned;
        tensor::Tensor mask{{n, n}, {drawing.mask.begin(), drawing.mask.end()}};
        const sparse::Pattern pattern = sparse::makeBitmap(mask, drawing.causal, "drawing");
        drawing.mask = sparse::maskOf(pattern, 0, run.cancelToken()); // without what a causal mask hides
        Judged judged = judge(pattern, drawing.mask, run);
        judged.name = "drawn";
        judged.rule = "what has been drawn";
        judged.title = "your drawing";
        drawing.judged = std::move(judged);
        putChosen(drawing, run);
    }
};

} // namespace

std::unique_ptr<Experiment> makePatterns() { return std::make_unique<Patterns>(); }

} // namespace warplight::labs::linear
