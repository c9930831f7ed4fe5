// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/map_methods.h"

#include "core/cpu/linear/feature_map.h"
#include "core/labs/linear/factor_map.h"
#include "core/labs/linear/pattern_map.h"
#include "core/labs/linear/sparse_problem.h"
#include "core/sparse/low_rank_factors.h"
#include "core/workbench/knobs.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace warplight::labs::linear {
namespace {

using namespace lab;

constexpr double nearZero = 1e-6; ///< of the mean size of a denominator's terms

template <class List>
auto find(const List& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.name == name; });
}
template <class List>
bool has(const List& list, const std::string& name) {
    return find(list, name) != list.end();
}

cpu::LinearShape shapeOf(const Settings& s, int64_t queries, int64_t keys, int64_t headDim) {
    cpu::LinearShape shape;
    shape.queryLen = queries;
    shape.keyLen = keys;
    shape.headDim = shape.valueDim = headDim;
    shape.map = cpu::featureMapByName(s.text("method"));
    shape.causal = isCausal(s);
    shape.features = s.integer("features");
    shape.orthogonal = s.flag("orthogonal");
    shape.seed = static_cast<uint64_t>(s.integer("seed"));
    return shape;
}

/// A product of features over the denominators of all queries.
MapMethod ofFeatures(const cpu::LinearShape& shape, const ComparedMaps& maps, const std::atomic<bool>* cancel) {
    cpu::checkShape(shape);
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
    MapMethod method;
    method.nearZero = 0;
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
        method.rows.values.push_back(std::fabs(denominator) / static_cast<double>(shape.causal ? i + 1 : m));
        if (!(magnitude > 0 && std::fabs(denominator) / magnitude >= nearZero))
            ++method.nearZero;
    }
    method.map = std::make_shared<FactorMap>(std::move(left), std::move(right), r, shape.causal);
    method.rankAtMost = r;
    method.title = "Features";
    method.label = "features";
    method.formula = "φ(q)·φ(k) over their sum";
    method.explain = "Weights of the feature map, row by row divided by their sum; negative ones are drawn as the "
                     "least. Rows whose sum is zero have no values. **Counted.**";
    method.rows.title = "Denominators";
    method.rows.subtitle = "what divides a row: near 0 it is anything";
    method.rows.explain =
        "|Σ_j φ(q)·φ(k_j)| divided by the number of keys that a query sees. Of several queries a point is the "
        "smallest; a zero has no place on a logarithmic axis. **Counted.**";
    method.rows.axis = "|denominator| for each key";
    method.rows.logarithmic = true;
    return method;
}

MapMethod ofPattern(const Settings& s, const ComparedMaps& maps, const std::atomic<bool>* cancel) {
    const sparse::KindInfo& kind = sparse::info(sparse::kindByName(s.text("method")));
    sparse::Parameters parameters;
    parameters.kind = kind.id;
    parameters.causal = isCausal(s);
    for (const sparse::Field& field : sparse::fields())
        parameters.*field.value = s.integer(field.id);
    check(parameters, [](const char* id) { return std::string(id); });
    const cpu::MapProblem& p = maps.exact;
    const sparse::Inputs inputs{p.q, p.k, 1, 1, p.queryLen, p.keyLen, p.headDim};
    const sparse::Pattern pattern = kind.id == sparse::Kind::TopK  ? makeTopK(parameters, inputs)
                                    : kind.id == sparse::Kind::Lsh ? makeLsh(parameters, inputs)
                                                                   : makePattern(parameters, p.queryLen, p.keyLen);
    auto map = std::make_shared<PatternMap>(p, maps.lse, pattern, cancel);
    MapMethod method;
    method.title = method.label = std::string(kind.title);
    method.formula = fmt::format("softmax over the keys kept: {:.3g} %",
                                 100 * static_cast<double>(map->pairs()) /
                                     (static_cast<double>(p.queryLen) * static_cast<double>(p.keyLen)));
    method.explain =
        "Weights of the keys that the pattern keeps, divided by their sum. Hidden pairs are 0, rows without "
        "a key have no values. **Counted.**";
    method.rows.values = map->kept();
    method.rows.title = "Weight kept";
    method.rows.subtitle = "of the softmax's, what lies on keys that a query keeps";
    method.rows.explain = "Σ of P over the keys that the pattern keeps: 1 is all, and what is missing goes to the keys "
                          "that are left. Of several queries a point is the smallest. **Counted.**";
    method.rows.axis = "share";
    method.map = std::move(map);
    return method;
}

MapMethod ofLowRank(const Settings& s, const ComparedMaps& maps, const std::atomic<bool>* cancel) {
    const sparse::LowRankInfo& info = *find(sparse::lowRankMethods(), s.text("method"));
    const cpu::MapProblem& p = maps.exact;
    sparse::LowRankProblem problem;
    problem.attention = {1, 1, 1, p.queryLen, p.keyLen, p.headDim, p.scale, false};
    problem.attention.q = p.q;
    problem.attention.k = p.k;
    problem.method = info.id;
    problem.rank = s.integer("rank");
    std::vector<float> e, f;
    if (info.id == sparse::LowRankMethod::Linformer) {
        e.resize(static_cast<size_t>(problem.rank * p.keyLen));
        f.resize(e.size());
        const auto seed = static_cast<uint64_t>(s.integer("seed"));
        fillProjection(e, sparse::Projection::OfKeys, problem.rank, seed, cancel);
        fillProjection(f, sparse::Projection::OfValues, problem.rank, seed, cancel);
        problem.e = e.data();
        problem.f = f.data();
    }
    sparse::Factors factors = factorsOf(problem, cancel);
    MapMethod method;
    std::vector<double> columnSums(static_cast<size_t>(problem.rank));
    for (size_t i = 0; i < factors.right.size(); ++i)
        columnSums[i % columnSums.size()] += static_cast<double>(factors.right[i]);
    for (int64_t i = 0; i < p.queryLen; ++i) {
        double sum = 0;
        for (size_t c = 0; c < columnSums.size(); ++c)
            sum += static_cast<double>(factors.left[static_cast<size_t>(i) * columnSums.size() + c]) * columnSums[c];
        method.rows.values.push_back(sum);
    }
    method.map = std::make_shared<FactorMap>(std::move(factors.left), std::move(factors.right), problem.rank, false);
    method.rankAtMost = problem.rank;
    method.title = method.label = std::string(info.title);
    method.formula = std::string(info.formula);
    method.explain = "What the method multiplies V by, as one matrix: it is never made by the method itself. Negative "
                     "weights are drawn as the least. **Counted.**";
    method.rows.title = "Row sums";
    method.rows.subtitle = "what the weights of a row sum to; the softmax's to 1";
    method.rows.explain = "Σ_j A_ij. Means of segments keep the sum of 1; projections by chance and pseudo-inverses do "
                          "not. Of several queries a point is the smallest. **Counted.**";
    method.rows.axis = "Σ of a row";
    return method;
}

std::vector<std::string> lowRankNames() {
    std::vector<std::string> names;
    for (const auto& method : sparse::lowRankMethods())
        names.emplace_back(method.name);
    return names;
}

} // namespace

std::vector<Parameter> mapMethodParameters() {
    std::vector<Parameter::Option> options = workbench::optionsOf(cpu::featureMaps());
    for (const auto& kind : patternParameter(false).options)
        options.push_back({kind.id, "Pattern: " + kind.title, kind.doc});
    for (const auto& method : sparse::lowRankMethods())
        options.push_back(
            {std::string(method.name), "Low rank: " + std::string(method.title), std::string(method.formula)});
    Parameter m = Parameter::integer("features", "Random features", 128, 1, 4096, "m of FAVOR+.");
    Parameter orthogonal =
        Parameter::flag("orthogonal", "Orthogonal features", true, "Of FAVOR+: in blocks; otherwise independent.");
    m.shownWhen = orthogonal.shownWhen = {when("method", {"favor"})};
    Parameter rank = Parameter::integer("rank", "Rank", 64, 1, sparse::largestPseudoInverse,
                                        "Keys that are left: projected ones, landmarks or means of segments.");
    rank.shownWhen = {when("method", lowRankNames())};
    std::vector<Parameter> all{
        Parameter::choice("method", "Method", "favor", std::move(options), "What stands in the place of the softmax."),
        m, orthogonal, rank};
    for (const sparse::Field& field : sparse::fields()) {
        if (std::string_view(field.id) == "seed") // the page's own
            continue;
        Parameter p = fieldParameter(field);
        for (Condition& condition : p.shownWhen)
            condition.id = "method";
        all.push_back(std::move(p));
    }
    return all;
}

bool isCausal(const Settings& s) {
    const std::string& method = s.text("method");
    if (has(sparse::lowRankMethods(), method) || method == "softmax")
        return false;
    return s.flag("causal") || (has(sparse::kinds(), method) && find(sparse::kinds(), method)->isCausal);
}

std::vector<std::string> methodsWithMasks() {
    std::vector<std::string> names;
    for (const auto& map : cpu::featureMaps())
        if (map.name != "softmax")
            names.emplace_back(map.name);
    for (const auto& kind : sparse::kinds())
        if (!kind.isCausal && !kind.needsMask)
            names.emplace_back(kind.name);
    return names;
}

MapMethod makeMapMethod(const Settings& s, const ComparedMaps& maps, const std::atomic<bool>* cancel) {
    const std::string& method = s.text("method");
    const cpu::MapProblem& p = maps.exact;
    return has(sparse::kinds(), method) ? ofPattern(s, maps, cancel)
           : has(sparse::lowRankMethods(), method)
               ? ofLowRank(s, maps, cancel)
               : ofFeatures(shapeOf(s, p.queryLen, p.keyLen, p.headDim), maps, cancel);
}

int64_t widthOf(const Settings& s, int64_t headDim) {
    const std::string& method = s.text("method");
    return has(sparse::kinds(), method)            ? 1
           : has(sparse::lowRankMethods(), method) ? s.integer("rank")
                                                   : cpu::featureCount(shapeOf(s, 0, 0, headDim));
}

int64_t mapMethodBytes(const Settings& s, int64_t n, int64_t headDim) {
    const std::string& method = s.text("method");
    const int64_t width = widthOf(s, headDim);
    if (has(sparse::kinds(), method))
        return saturatedSum(PatternMap::heldBytes(n, n), saturatedProduct(n, headDim * 8 + 64)); // top-k: K, transposed
    const int64_t factors = saturatedSum(2 * n * width * 4, FactorMap::heldBytes(n, n, width));
    return has(sparse::lowRankMethods(), method)
               ? saturatedSum(factors, sparse::factorBytes(n, n, headDim, width) + 2 * n * width * 4)
               : factors;
}

} // namespace warplight::labs::linear
