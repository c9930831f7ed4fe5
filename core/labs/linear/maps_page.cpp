// SPDX-License-Identifier: GPL-3.0-or-later
// The map of softmax attention beside the one that a method makes of the same Q and K, and their difference.
#include "core/algebra/decomposition.h"
#include "core/error.h"
#include "core/lab/headline.h"
#include "core/labs/attention/map_inputs.h"
#include "core/labs/attention/map_tiles.h"
#include "core/labs/linear/linear_pages.h"
#include "core/labs/linear/map_methods.h"
#include "core/labs/linear/method_map.h"
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

class Maps : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.maps";
        d.lab = "Linear attention";
        d.title = "Maps";
        d.sentence = "The softmax map, the map that a method makes of the same Q and K, and where they differ.";
        d.question = "What does a head lose when its softmax becomes features, a pattern or a map of low rank?";
        d.about =
            "**Softmax**: P = softmax(QKᵀ/√d). **Features**: A_ij = φ(q_i)·φ(k_j) / Σ_j φ(q_i)·φ(k_j), of rank φ's "
            "number "
            "of features at most: sharp rows blur. Its blocks follow from sums of features, so that a picture of any "
            "size "
            "costs the same. A query whose denominator is zero has no row: IEEE's 0/0. Maps of either sign (none) can "
            "come close to it anywhere.\n\n**Patterns**: the softmax over the keys that are kept; what lies on others "
            "is "
            "shared among these. **Low rank**: what Linformer, Nyström and pooling multiply V by, written as one "
            "matrix; "
            "they have no causal mask.";
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
            else if (p.id == "causal")
                p.shownWhen = {when("method", methodsWithMasks())};
        const std::vector<Parameter> methods = mapMethodParameters();
        d.parameters.insert(d.parameters.begin(), methods.begin(), methods.end());
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const auto n = static_cast<double>(s.integer("seqLen")), d = static_cast<double>(s.integer("headDim"));
        return 0.3 + n * n * d * 1e-10 + static_cast<double>(judgedRows * widthOf(s, s.integer("headDim"))) * n * 1e-9;
    }

    MemoryNeed neededMemory(const Settings& s, const std::string&) const override {
        const int64_t n = s.integer("seqLen"), d = s.integer("headDim");
        return {n * d * 24 + n * judgedRows * 8 + mapMethodBytes(s, n, d) + (int64_t{32} << 20), 0,
                fmt::format("both maps of {} queries and keys", n), "seqLen, headDim, features or rank"};
    }

    void run(const Settings& settings, Run& run) override {
        auto maps = std::make_shared<ComparedMaps>();
        const ReleasesBeside release(maps);
        takeInputs(settings, run, *maps);
        maps->lse.resize(static_cast<size_t>(maps->exact.queryLen));
        std::vector<float> entropy(maps->lse.size());
        cpu::mapStatistics(maps->exact, maps->lse, entropy, 0, run.cancelToken());
        const MapMethod method = makeMapMethod(settings, *maps, run.cancelToken());
        maps->method = method.map;
        maps->name = settings.text("method");

        putMap(run, settings, maps, nullptr);
        putMap(run, settings, maps, &method);
        putDifference(run, maps, method);
        putRows(run, method);
        putSpectrum(run, *maps, method);
    }

  private:
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
        const bool causal = isCausal(s);
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

    /// The softmax's, or the method's.
    static void putMap(Run& run, const Settings& settings, const std::shared_ptr<const ComparedMaps>& maps,
                       const MapMethod* method) {
        const bool log = settings.text("colour") == "log";
        Heatmap map = lazyMap(*maps);
        map.valueTitle = method ? "A" : "P";
        map.valueScale = log ? Scale::Log10 : Scale::Linear;
        map.valueMaximum = 1;
        map.valueMinimum = log ? std::min(1e-3, 0.1 / static_cast<double>(map.cols)) : 0;
        const std::string id = method ? "method" : "exact";
        run.put({id, method ? method->title : "Softmax", method ? method->formula : "softmax(QKᵀ/√d)",
                 method ? method->explain : "P = exp(S − lse), tile by tile. Coarse cells are means. **Counted.**",
                 Figure::Place::Support, std::move(map)});
        run.serveTiles(id, tilesOf(maps, method ? Shown::Method : Shown::Exact));
    }

    /// Of some rows, every cell: how far off, and what the colours' range should hold.
    static void putDifference(Run& run, const std::shared_ptr<const ComparedMaps>& maps, const MapMethod& method) {
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
        run.put({"difference", "Difference", fmt::format("{} − softmax", method.label),
                 "A − P. The colours end where one cell of fifty is farther off. **Counted.**", Figure::Place::Support,
                 std::move(map)});
        run.serveTiles("difference", tilesOf(maps, Shown::Difference));
        const double judged = static_cast<double>(rows) - undefined;
        // Weights of either sign need not sum to 1, so that more than a row's whole weight can lie elsewhere.
        const double share = judged > 0 ? apart / judged : 0;
        putHeadline(run, "apart", judged > 0 ? std::optional(share > 1 ? share : 100 * share) : std::nullopt, "",
                    share > 1 ? "{:.1f} ×" : "{:.0f} %",
                    fmt::format("{} lies elsewhere, mean of {:.0f} rows",
                                share > 1 ? "a row's weight, in weights of either sign," : "of a row's weight",
                                judged));
        if (undefined > 0)
            putHeadline(run, "undefined", undefined, "", "{:.0f}", fmt::format("of {} rows have no values", rows));
    }

    static void putRows(Run& run, const MapMethod& method) {
        const std::vector<double>& values = method.rows.values;
        Series s;
        s.x = {"query", "", Scale::Linear, {}, {}, {}, false};
        s.y = {method.rows.axis, "", method.rows.logarithmic ? Scale::Log10 : Scale::Linear, {}, {}, {}, false};
        if (!method.rows.logarithmic)
            s.y.minimum = std::min(0.0, *std::min_element(values.begin(), values.end()));
        Curve c;
        c.id = c.colourKey = "method";
        c.label = method.label;
        c.style = Curve::Style::Line;
        c.provenance = Provenance::Counted;
        const size_t count = values.size(), step = (count + shownPoints - 1) / shownPoints;
        for (size_t i = 0; i < count; i += step) {
            c.x.push_back(static_cast<double>(i));
            c.y.push_back(*std::min_element(values.begin() + static_cast<std::ptrdiff_t>(i),
                                            values.begin() + static_cast<std::ptrdiff_t>(std::min(i + step, count))));
        }
        s.curves.push_back(std::move(c));
        run.put({"denominators", method.rows.title, method.rows.subtitle, method.rows.explain, Figure::Place::Support,
                 std::move(s)});
        if (method.nearZero > 0)
            putHeadline(run, "near", static_cast<double>(method.nearZero), "", "{:.0f}",
                        fmt::format("of {} denominators are zero or nearly so", count));
    }

    /// Of the first tokens, as a matrix.
    static void putSpectrum(Run& run, const ComparedMaps& maps, const MapMethod& method) {
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
            c.label = softmax ? "softmax" : method.label;
            c.style = Curve::Style::Line;
            c.provenance = Provenance::Counted;
            for (size_t i = 0; i < values.size(); ++i) {
                c.x.push_back(static_cast<double>(i + 1));
                c.y.push_back(std::max(values[i] / values[0], 1e-9));
            }
            s.curves.push_back(std::move(c));
            putHeadline(
                run, softmax ? "rankExact" : "rankMethod",
                values.empty() ? std::nullopt : std::optional(effectiveRank(values)), "", "{:.0f}",
                softmax ? fmt::format("effective rank of the softmax map, {} tokens", n)
                : maps.exact.causal || method.rankAtMost == 0
                    ? "of the method's map, whose rank may be full"
                    : fmt::format("of the method's map, which has rank {} at most", std::min(n, method.rankAtMost)));
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
