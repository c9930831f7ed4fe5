// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/sparse_problem.h"

#include "core/error.h"
#include "core/labs/attention/attention_operator.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace warplight::labs::linear {
namespace {

using lab::Parameter;
using workbench::Problem;
using workbench::Tensors;

/// What decides about a pattern of positions.
struct Key {
    sparse::Parameters parameters;
    int64_t queries = 0, keys = 0;
    bool operator==(const Key&) const = default;
};

/// The newest value for a key, made once for all who ask for it.
template <class Value>
class Newest {
  public:
    template <class Make>
    std::shared_ptr<const Value> get(const Key& key, const Make& make) {
        {
            const std::lock_guard lock(mutex);
            if (kept && of == key)
                return kept;
        }
        auto made = std::make_shared<const Value>(make());
        const std::lock_guard lock(mutex);
        of = key;
        kept = made;
        return made;
    }

  private:
    std::mutex mutex;
    Key of;
    std::shared_ptr<const Value> kept;
};

Key keyOf(const Problem& p) { return {parametersOf(p), p["queryLen"], p["keyLen"]}; }

bool isOfPositions(const Problem& p) { return !kindOf(p).needsInputs && !kindOf(p).needsMask; }

double heads(const Problem& p) { return static_cast<double>(p["batch"] * p["queryHeads"]); }

double pairsOfTopK(const Problem& p) {
    const int64_t n = p["queryLen"], m = p["keyLen"];
    double pairs = 0;
    for (int64_t i = 0; i < n; ++i)
        pairs +=
            static_cast<double>(std::min(p["top"], p.flag("causal") ? std::clamp<int64_t>(i + 1 + m - n, 0, m) : m));
    return pairs;
}

} // namespace

Parameter patternParameter(bool withBitmap) {
    std::vector<Parameter::Option> options;
    for (const sparse::KindInfo& kind : sparse::kinds())
        if (withBitmap || !kind.needsMask)
            options.push_back({std::string(kind.name), std::string(kind.title), std::string(kind.rule)});
    return Parameter::choice("pattern", "Pattern", "local", options, "Which keys a query sees.");
}

Parameter fieldParameter(const sparse::Field& field) {
    Parameter p = Parameter::integer(field.id, field.title, sparse::Parameters{}.*field.value,
                                     static_cast<double>(field.least), static_cast<double>(field.most), field.doc);
    std::vector<std::string> users;
    for (const sparse::KindInfo& kind : sparse::kinds())
        if (kind.usesParameter(field.id))
            users.emplace_back(kind.name);
    p.shownWhen = {lab::when("pattern", users)};
    return p;
}

const sparse::KindInfo& kindOf(const Problem& p) { return sparse::kinds()[static_cast<size_t>(p["pattern"])]; }

sparse::Parameters parametersOf(const Problem& p) {
    sparse::Parameters parameters;
    parameters.kind = kindOf(p).id;
    parameters.causal = p.flag("causal");
    for (const sparse::Field& field : sparse::fields())
        parameters.*field.value = p[field.id];
    return parameters;
}

void completeSparse(Problem& p) {
    attention::completeAttention(p);
    p.setDefault("maskRows", 0);
    p.setDefault("maskColumns", 0);
    const bool hasMask = p["maskRows"] > 0 || p["maskColumns"] > 0;
    p.setDefault("pattern", static_cast<double>(hasMask ? sparse::Kind::Bitmap : sparse::Kind::Local));
    for (const sparse::Field& field : sparse::fields())
        p.setDefault(field.id, static_cast<double>(sparse::Parameters{}.*field.value));
    check(parametersOf(p), [](const char* id) { return fmt::format("--{}", id); });
    const sparse::KindInfo& kind = kindOf(p);
    if (kind.isCausal)
        p.numbers["causal"] = 1;
    if (kind.needsMask && !hasMask)
        throw InputError("--mask: expected the file of a mask for the pattern bitmap");
    if (!kind.needsMask && hasMask)
        throw InputError(fmt::format("--mask: expected beside --pattern bitmap alone, not {}", kind.name));
    if (hasMask && (p["maskRows"] != p["queryLen"] || p["maskColumns"] != p["keyLen"]))
        throw InputError(fmt::format("--mask: shape [{}, {}], expected [{}, {}], queries and keys", p["maskRows"],
                                     p["maskColumns"], p["queryLen"], p["keyLen"]));
}

sparse::BlockCounts blockCounts(const Problem& p) {
    const int64_t block = p["block"];
    if (!isOfPositions(p)) {
        const int64_t each = kindOf(p).needsMask ? 1 : p["batch"] * p["queryHeads"];
        const int64_t all = each * ((p["queryLen"] + block - 1) / block) * ((p["keyLen"] + block - 1) / block);
        return {all, all, all, 0};
    }
    static Newest<sparse::BlockCounts> newest;
    return *newest.get(keyOf(p),
                       [&] { return countBlocks(makePattern(parametersOf(p), p["queryLen"], p["keyLen"]), block); });
}

double pairsOf(const Problem& p) {
    if (isOfPositions(p))
        return heads(p) * static_cast<double>(blockCounts(p).pairs);
    if (kindOf(p).id == sparse::Kind::TopK)
        return heads(p) * pairsOfTopK(p);
    const double all = cpu::usefulFlops(attention::cpuProblem(p)) / (4 * p.real("headDim"));
    if (kindOf(p).id == sparse::Kind::Lsh)
        return all * (1 - std::pow(1 - 1 / p.real("buckets"), p.real("hashes")));
    return all;
}

std::shared_ptr<const sparse::BlockedMask> blockedMask(const Problem& p, const Tensors& t,
                                                       const cpu::RunOptions& options) {
    const sparse::Parameters parameters = parametersOf(p);
    const int64_t block = p["block"];
    if (isOfPositions(p)) {
        static Newest<sparse::BlockedMask> newest;
        return newest.get(keyOf(p),
                          [&] { return blocked(makePattern(parameters, p["queryLen"], p["keyLen"]), block, options); });
    }
    const auto cut = [&](const sparse::Pattern& pattern) {
        return std::make_shared<const sparse::BlockedMask>(blocked(pattern, block, options));
    };
    if (kindOf(p).needsMask)
        return cut(sparse::makeBitmap(t.at("mask"), parameters.causal, "--mask"));
    const sparse::Inputs inputs{t.at("Q").values.data(),
                                t.at("K").values.data(),
                                p["batch"] * p["queryHeads"],
                                p["queryHeads"] / p["keyHeads"],
                                p["queryLen"],
                                p["keyLen"],
                                p["headDim"]};
    return cut(parameters.kind == sparse::Kind::TopK ? makeTopK(parameters, inputs) : makeLsh(parameters, inputs));
}

} // namespace warplight::labs::linear
