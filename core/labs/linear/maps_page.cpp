// SPDX-License-Identifier: GPL-3.0-or-later
// The map of softmax attention beside the one that a feature map makes of the same Q and K, and their difference.
#include "core/algebra/decomposition.h"
#include "core/cpu/linear/feature_map.h"
#include "core/error.h"
#include "core/lab/headline.h"
#include "core/labs/attention/map_inputs.h"
#include "core/labs/attention/map_tiles.h"
#include "core/labs/linear/factor_map.h"
#include "core/labs/linear/linear_pages.h"
#include "core/labs/linear/spectrum.h"
#include "core/tensor/release.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;

constexpr int64_t judgedRows = 256, spectrumTokens = 256, shownPoints = 1024;
constexpr double nearZero = 1e-6; ///< of the mean size of a denominator's terms

std::vector<Parameter::Option> mapOptions() {
    std::vector<Parameter::Option> options;
    for (const auto& map : cpu::featureMaps())
        options.push_back({std::string(map.name), std::string(map.title), std::string(map.improves)});
    return options;
}

/// Denominators of all queries, and the map as a product of features over them.
struct Method {
    std::shared_ptr<const FactorMap> map;
    std::vector<double> denominators; ///< for each key that a query sees
    std::vector<double> left;         ///< of the sizes of their terms, where those cancel one another: 1 is all
    int64_t features = 0;
};

Method makeMethod(const cpu::LinearShape& shape, const ComparedMaps& maps, const std::atomic<bool>* cancel) {
    const cpu::Features<float> phi(shape);
    const int64_t n = shape.queryLen, m = shape.keyLen, r = phi.count();
    std::vector<float> left(static_cast<size_t>(n * r)), right(static_cast<size_t>(m * r));
    phi.ofQueries(maps.q.data(), n, left.data());
    phi.ofKeys(maps.k.data(), m, right.data(), cancel);
    std::vector<double> sum(static_cast<size_t>(r)), size(static_cast<size_t>(r));
    const auto take = [&](int64_t key) {
        for (int64_t c = 0; c < r; ++c) {
            const auto x = static_cast<double>(right[static_cast<size_t>(key * r + c)]);
            sum[static_cast<size_t>(c)] += x;
            size[static_cast<size_t>(c)] += std::fabs(x);
        }
    };
    if (!shape.causal)
        for (int64_t key = 0; key < m; ++key)
            take(key);
    Method method;
    method.features = r;
    for (int64_t i = 0; i < n; ++i) {
        if (shape.causal)
            take(i);
        double denominator = 0, magnitude = 0;
        float* row = left.data() + i * r;
        for (int64_t c = 0; c < r; ++c) {
            denominator += static_cast<double>(row[c]) * sum[static_cast<size_t>(c)];
            magnitude += std::fabs(static_cast<double>(row[c])) * size[static_cast<size_t>(c)];
        }
        for (int64_t c = 0; c < r; ++c)
            row[c] = static_cast<float>(static_cast<double>(row[c]) / denominator);
        method.denominators.push_back(denominator / static_cast<double>(shape.causal ? i + 1 : m));
        method.left.push_back(magnitude > 0 ? std::fabs(denominator) / magnitude : 0);
    }
    method.map = std::make_shared<FactorMap>(std::move(left), std::move(right), r, shape.causal);
    return method;
}

class Maps : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.maps";
        d.lab = "Linear attention";
        d.title = "Maps";
        d.sentence = "The softmax map, the map that features make of the same Q and K, and where they differ.";
        d.question = "What does a head lose when its softmax becomes a product of features?";
        d.about =
            "**Softmax**: P = softmax(QKᵀ/√d). **Features**: A_ij = φ(q_i)·φ(k_j) / Σ_j φ(q_i)·φ(k_j), of rank φ's "
            "number "
            "of features at most: sharp rows blur. Its blocks follow from sums of features, so that a picture of any "
            "size "
            "costs the same. A query whose denominator is zero has no row: IEEE's 0/0. Maps of either sign (none) can "
            "come close to it anywhere.";
        d.devices = {"cpu"};
        d.colours = {{"softmax", 7}, {"method", 0}};
        d.dropFiles = "qFile";
        Parameter n =
            Parameter::integer("seqLen", "Sequence length", 512, 8, 16384, "Queries and keys of the made-up inputs.");
        n.powersOfTwo = true;
        const std::string tensors = "Tensors (*.npy *.npz *.safetensors)";
        Parameter sharp = Parameter::real("sharpness", "Sharpness", 1, 0.01, 100, "Q is multiplied by it.");
        sharp.sliderStep = 0.1;
        d.parameters = {
            Parameter::choice("method", "Feature map", "favor", mapOptions(), "φ, in the place of the softmax."),
            Parameter::integer("features", "Random features", 128, 1, 4096, "m of FAVOR+."),
            Parameter::flag("orthogonal", "Orthogonal features", true, "Of FAVOR+: in blocks; otherwise independent."),
            sharp,
            Parameter::choice("input", "Input", "mixed", attention::mapInputKinds(),
                              "Made-up structure, or your own Q and K."),
            n,
            Parameter::integer("headDim", "Features of a head", 64, 8, 256, "Of the made-up inputs."),
            Parameter::flag("causal", "Causal mask", true, "Query i sees keys 0 to i."),
            Parameter::choice("colour", "Colour", "log", {{"log", "Logarithm of P", ""}, {"linear", "P", ""}},
                              "Scale of the first two pictures."),
            Parameter::file("qFile", "Q", tensors, "FILE.npy, FILE.npz:key or FILE.safetensors:name."),
            Parameter::file("kFile", "K", tensors, "As Q."),
            Parameter::choice(
                "layout", "Layout", "BHND",
                {{"BHND", "batch, heads, sequence, features", ""}, {"BNHD", "batch, sequence, heads, features", ""}},
                "Of four-dimensional files."),
            Parameter::integer("head", "Head", 0, 0, 1 << 20, "Of your files: batch times heads, counted from 0."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs and of FAVOR+.")};
        for (Parameter& p : d.parameters)
            if (p.id == "qFile" || p.id == "kFile" || p.id == "layout" || p.id == "head")
                p.shownWhen = {when("input", {"files"})};
            else if (p.id == "seqLen" || p.id == "headDim")
                p.shownWhen = {unless("input", {"files"})};
            else if (p.id == "features" || p.id == "orthogonal")
                p.shownWhen = {when("method", {"favor"})};
            else if (p.id == "causal")
                p.shownWhen = {unless("method", {"softmax"})};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const auto n = static_cast<double>(s.integer("seqLen")), d = static_cast<double>(s.integer("headDim"));
        return 0.3 + n * n * d * 1e-10 + static_cast<double>(judgedRows) * n * featuresOf(s) * 1e-9;
    }

    MemoryNeed neededMemory(const Settings& s, const std::string&) const override {
        const int64_t n = s.integer("seqLen"), d = s.integer("headDim"), r = featuresOf(s);
        return {n * d * 24 + n * judgedRows * 8 + 2 * n * r * 4 + FactorMap::heldBytes(n, n, r) + (int64_t{32} << 20),
                0, fmt::format("{} features of {} queries and keys", r, n), "seqLen, headDim or features"};
    }

    void run(const Settings& settings, Run& run) override {
        auto maps = std::make_shared<ComparedMaps>();
        const ReleasesBeside release(maps);
        takeInputs(settings, run, *maps);
        cpu::LinearShape shape;
        shape.queryLen = maps->exact.queryLen;
        shape.keyLen = maps->exact.keyLen;
        shape.headDim = shape.valueDim = maps->exact.headDim;
        shape.map = cpu::featureMapByName(settings.text("method"));
        shape.causal = maps->exact.causal;
        shape.features = settings.integer("features");
        shape.orthogonal = settings.flag("orthogonal");
        shape.seed = static_cast<uint64_t>(settings.integer("seed"));
        cpu::checkShape(shape);
        maps->lse.resize(static_cast<size_t>(shape.queryLen));
        std::vector<float> entropy(maps->lse.size());
        cpu::mapStatistics(maps->exact, maps->lse, entropy, 0, run.cancelToken());
        const Method method = makeMethod(shape, *maps, run.cancelToken());
        maps->method = method.map;
        maps->name = settings.text("method");

        putMap(run, settings, maps, Shown::Exact);
        putMap(run, settings, maps, Shown::Method);
        putDifference(run, maps);
        putDenominators(run, method);
        putSpectrum(run, *maps, method);
    }

  private:
    static int64_t featuresOf(const Settings& s) {
        cpu::LinearShape shape;
        shape.headDim = shape.valueDim = s.integer("headDim");
        shape.map = cpu::featureMapByName(s.text("method"));
        shape.features = s.integer("features");
        return cpu::featureCount(shape);
    }

    static void takeInputs(const Settings& s, Run& run, ComparedMaps& maps) {
        attention::MapInputs x =
            s.text("input") == "files"
                ? attention::loadMapInputs({s.text("qFile"), s.text("kFile"), ""}, s.text("layout"), s.integer("head"),
                                           run.cancelToken())
                : attention::makeMapInputs(s.text("input"), s.integer("seqLen"), s.integer("seqLen"),
                                           s.integer("headDim"), static_cast<uint64_t>(s.integer("seed")),
                                           run.cancelToken());
        if (x.queryLen == 0 || x.keyLen == 0)
            throw InputError(
                fmt::format("there are {} queries and {} keys, expected at least one of each", x.queryLen, x.keyLen));
        const bool causal = s.flag("causal") && s.text("method") != "softmax";
        if (causal && x.queryLen != x.keyLen)
            throw InputError(fmt::format("causal: {} queries and {} keys, expected as many of one as of the other",
                                         x.queryLen, x.keyLen));
        for (float& value : x.q)
            value *= static_cast<float>(s.real("sharpness"));
        maps.q = std::move(x.q);
        maps.k = std::move(x.k);
        maps.exact = {x.queryLen, x.keyLen,      x.headDim,    1.0f / std::sqrt(static_cast<float>(x.headDim)),
                      causal,     maps.q.data(), maps.k.data()};
    }

    static Heatmap lazyMap(const ComparedMaps& maps) {
        Heatmap map;
        map.rows = maps.exact.queryLen;
        map.cols = maps.exact.keyLen;
        map.x = {"key", "", Scale::Linear, {}, {}, {}, false};
        map.y = {"query", "", Scale::Linear, {}, {}, {}, true};
        map.lazy = true;
        map.tileSize = attention::mapTileSize;
        map.levels = attention::mapLevels(map.rows, map.cols);
        map.pooling = "mean";
        return map;
    }

    static void putMap(Run& run, const Settings& settings, const std::shared_ptr<const ComparedMaps>& maps,
                       Shown shown) {
        const bool exact = shown == Shown::Exact, log = settings.text("colour") == "log";
        Heatmap map = lazyMap(*maps);
        map.valueTitle = exact ? "P" : "A";
        map.valueScale = log ? Scale::Log10 : Scale::Linear;
        map.valueMaximum = 1;
        map.valueMinimum = log ? std::min(1e-3, 0.1 / static_cast<double>(map.cols)) : 0;
        const std::string id = exact ? "exact" : "method";
        run.put(
            {id, exact ? "Softmax" : "Features", exact ? "softmax(QKᵀ/√d)" : "φ(q)·φ(k) over their sum",
             exact
                 ? "P = exp(S − lse), tile by tile. Coarse cells are means. **Counted.**"
                 : "Weights of the feature map, row by row divided by their sum; negative ones are drawn as the least. "
                   "Rows whose sum is zero have no values. **Counted.**",
             Figure::Place::Support, std::move(map)});
        run.serveTiles(id, tilesOf(maps, shown));
    }

    /// Of some rows, every cell: how far off, and what the colours' range should hold.
    static void putDifference(Run& run, const std::shared_ptr<const ComparedMaps>& maps) {
        const cpu::MapProblem& p = maps->exact;
        const int64_t rows = std::min(judgedRows, p.queryLen);
        std::vector<float> exact(static_cast<size_t>(p.keyLen));
        std::vector<double> off; // of all cells of the rows
        double apart = 0, undefined = 0;
        for (int64_t i = 0; i < rows; ++i) {
            run.checkCancelled();
            const int64_t row = (2 * i + 1) * p.queryLen / (2 * rows);
            cpu::mapRow(p, maps->lse[static_cast<size_t>(row)], row, exact);
            double half = 0;
            const size_t before = off.size();
            for (int64_t j = 0; j < (p.causal ? row + 1 : p.keyLen); ++j) {
                const double d =
                    std::fabs(maps->method->at(row, j) - static_cast<double>(exact[static_cast<size_t>(j)]));
                half += d / 2;
                off.push_back(d);
            }
            if (std::isnan(half)) {
                ++undefined;
                off.resize(before);
                continue;
            }
            apart += half;
        }
        double range = 1e-6;
        if (!off.empty()) {
            const size_t at = off.size() - 1 - off.size() / 50;
            std::nth_element(off.begin(), off.begin() + static_cast<std::ptrdiff_t>(at), off.end());
            range = std::max(range, off[at]);
        }
        Heatmap map = lazyMap(*maps);
        map.valueTitle = "A − P";
        map.palette = Heatmap::Palette::Diverging;
        map.valueMinimum = -range;
        map.valueMaximum = range;
        run.put({"difference", "Difference", "features − softmax",
                 "A − P. The colours end where one cell of fifty is farther off. **Counted.**", Figure::Place::Support,
                 std::move(map)});
        run.serveTiles("difference", tilesOf(maps, Shown::Difference));
        const double judged = static_cast<double>(rows) - undefined;
        putHeadline(run, "apart", judged > 0 ? std::optional(100 * apart / judged) : std::nullopt, "", "{:.0f} %",
                    fmt::format("of a row's weight lies elsewhere, mean of {:.0f} rows", judged));
        if (undefined > 0)
            putHeadline(run, "undefined", undefined, "", "{:.0f}",
                        fmt::format("of {} rows have a denominator of zero", rows));
    }

    static void putDenominators(Run& run, const Method& method) {
        Series s;
        s.x = {"query", "", Scale::Linear, {}, {}, {}, false};
        s.y = {"|denominator| for each key", "", Scale::Log10, {}, {}, {}, false};
        Curve c;
        c.id = c.colourKey = "method";
        c.label = "features";
        c.style = Curve::Style::Line;
        c.provenance = Provenance::Counted;
        const size_t count = method.denominators.size(), step = (count + shownPoints - 1) / shownPoints;
        for (size_t i = 0; i < count; i += step) {
            double least = INFINITY;
            for (size_t j = i; j < std::min(i + step, count); ++j)
                least = std::min(least, std::fabs(method.denominators[j]));
            c.x.push_back(static_cast<double>(i));
            c.y.push_back(least);
        }
        s.curves.push_back(std::move(c));
        run.put({"denominators", "Denominators", "what divides a row: near 0 it is anything",
                 "|Σ_j φ(q)·φ(k_j)| divided by the number of keys that a query sees. Of several queries a point is the "
                 "smallest; a zero has no place on a logarithmic axis. **Counted.**",
                 Figure::Place::Support, std::move(s)});
        const auto near = std::count_if(method.left.begin(), method.left.end(), [](double x) { return x < nearZero; });
        if (near > 0)
            putHeadline(run, "near", static_cast<double>(near), "", "{:.0f}",
                        fmt::format("of {} denominators are zero or nearly so", count));
    }

    /// Of the first tokens, as a matrix.
    static void putSpectrum(Run& run, const ComparedMaps& maps, const Method& method) {
        const int64_t n = std::min({spectrumTokens, maps.exact.queryLen, maps.exact.keyLen});
        std::vector<double> exact, made;
        std::vector<float> row(static_cast<size_t>(maps.exact.keyLen));
        for (int64_t i = 0; i < n; ++i) {
            cpu::mapRow(maps.exact, maps.lse[static_cast<size_t>(i)], i, row);
            for (int64_t j = 0; j < n; ++j) {
                exact.push_back(static_cast<double>(row[static_cast<size_t>(j)]));
                const double a = maps.exact.causal && j > i ? 0 : method.map->at(i, j);
                made.push_back(a);
            }
        }
        Series s;
        s.x = {"singular value", "", Scale::Linear, {}, {}, {}, false};
        s.y = {"size", "", Scale::Log10, 1e-9, {}, {}, false};
        for (const bool softmax : {true, false}) {
            run.checkCancelled();
            const std::vector<double> values = algebra::singularValues(softmax ? exact : made, n, n);
            Curve c;
            c.id = c.colourKey = softmax ? "softmax" : "method";
            c.label = softmax ? "softmax" : "features";
            c.style = Curve::Style::Line;
            c.provenance = Provenance::Counted;
            for (size_t i = 0; i < values.size(); ++i) {
                c.x.push_back(static_cast<double>(i + 1));
                c.y.push_back(std::max(values[i] / values[0], 1e-9));
            }
            s.curves.push_back(std::move(c));
            putHeadline(run, softmax ? "rankExact" : "rankMethod",
                        values.empty() ? std::nullopt : std::optional(effectiveRank(values)), "", "{:.0f}",
                        softmax ? fmt::format("effective rank of the softmax map, {} tokens", n)
                                : fmt::format("of the features' map, which has rank {} at most",
                                              maps.exact.causal ? n : std::min(n, method.features)));
        }
        run.put(
            {"spectrum", "Singular values", fmt::format("of the first {} tokens, relative to the largest", n),
             "Of both maps as matrices. A causal mask is no product of features: it lets the rank of a masked map be "
             "full. **Counted.**",
             Figure::Place::Support, std::move(s)});
    }
};

} // namespace

std::unique_ptr<Experiment> makeMaps() { return std::make_unique<Maps>(); }

} // namespace warplight::labs::linear
