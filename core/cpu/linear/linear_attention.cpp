// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/linear/linear_attention.h"

#include "core/cpu/linear/chunked_products.h"
#include "core/cpu/linear/forms.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <string>
#include <type_traits>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<FeatureMap>, 9> maps{{
    {FeatureMap::Elu1, "elu1", "elu + 1", "x + 1 above 0, e^x below: always positive"},
    {FeatureMap::Relu, "relu", "ReLU", "max(x, 0): a row of zeros has a denominator of zero"},
    {FeatureMap::Relu2, "relu2", "Squared ReLU", "max(x, 0)²"},
    {FeatureMap::Exp, "exp", "Exponential", "e^x of each feature"},
    {FeatureMap::Softmax, "softmax", "Double softmax",
     "softmax of Q over its features, of K over positions: rows sum to 1; not causal"},
    {FeatureMap::Cos, "cos", "1 + cosine", "[1; x/|x|]: weights 1 + cos(q, k), between 0 and 2"},
    {FeatureMap::Taylor2, "taylor2", "Second-order Taylor",
     "[1; x; x ⊗ x/√2]: weights 1 + s + s²/2, with 1 + d + d² features"},
    {FeatureMap::Favor, "favor", "FAVOR+", "positive random features whose weights are e^s on average"},
    {FeatureMap::Identity, "identity", "None", "queries and keys as they are: weights q·k, of either sign"},
}};
constexpr std::array<RungInfo<LinearRule>, 5> rules{{
    {LinearRule::Add, "add", "Add", "S += k vᵀ: nothing is ever forgotten"},
    {LinearRule::Retention, "retention", "Retention (RetNet)", "S = γ S + k vᵀ: one factor a step"},
    {LinearRule::Gla, "gla", "Gated (GLA)", "S = diag(α) S + k vᵀ: a factor for each feature"},
    {LinearRule::Delta, "delta", "Delta rule (DeltaNet)",
     "S -= β k (kᵀ S - vᵀ): a key written again gets its last value, not the sum"},
    {LinearRule::GatedDelta, "gated-delta", "Gated delta rule", "S = γ S, then the delta rule"},
}};
constexpr std::array<RungInfo<LinearForm>, 5> forms{{
    {LinearForm::Reference, "reference", "double precision, step by step",
     "nothing: this is the formula that every other form is judged by"},
    {LinearForm::Parallel, "parallel", "all pairs of steps: masked scores times values",
     "rows are independent, so that all of them can be computed at once; pays with n² scores"},
    {LinearForm::Recurrent, "recurrent", "the state, step by step",
     "n instead of n² work: keys and values meet in a state of constant size; but one step waits for the other"},
    {LinearForm::Cumsum, "cumsum", "outer products kept, added up along the sequence",
     "products are made at once and summed by a scan; pays with a state for each step"},
    {LinearForm::Chunked, "chunked", "parallel within a chunk, recurrent between chunks",
     "matrix products again, and one state a chunk: what machines are fast at, with n work"},
}};

template <class Id, size_t Count>
Id byName(const std::array<RungInfo<Id>, Count>& infos, std::string_view what, std::string_view name) {
    std::string known;
    for (const auto& entry : infos) {
        if (entry.name == name)
            return entry.id;
        known += known.empty() ? "" : ", ";
        known += entry.name;
    }
    throw InputError(fmt::format("{} '{}' is not known, expected one of {}", what, name, known));
}

/// The pointers that the shape asks for.
template <class T>
void checkTensors(const LinearShape& s, const LinearTensors<T>& t) {
    if (!t.decay && (s.rule == LinearRule::Gla || s.rule == LinearRule::GatedDelta))
        throw InputError(fmt::format("decay is missing, expected {} for rule {}",
                                     s.rule == LinearRule::Gla ? "a factor for each step and feature" : "one a step",
                                     rules[static_cast<size_t>(s.rule)].name));
    if (!t.beta && overwrites(s))
        throw InputError(
            fmt::format("beta is missing, expected one a step for rule {}", rules[static_cast<size_t>(s.rule)].name));
}

/// Tensors in double precision that hold those of a problem, and the way back.
RunCost inDouble(const LinearShape& s, const LinearTensors<float>& t, const RunOptions& options) {
    Workspace space;
    const int64_t heads = s.batch * s.heads, features = featureCount(s);
    const auto widened = [&](const float* from, int64_t count) -> double* {
        if (!from)
            return nullptr;
        double* to = space.take<double>(count);
        std::copy_n(from, count, to);
        return to;
    };
    const int64_t outputs = heads * s.queryLen * s.valueDim, states = heads * features * s.valueDim;
    LinearTensors<double> wide;
    wide.q = widened(t.q, heads * s.queryLen * s.headDim);
    wide.k = widened(t.k, heads * s.keyLen * s.headDim);
    wide.v = widened(t.v, heads * s.keyLen * s.valueDim);
    wide.decay = widened(t.decay, heads * s.keyLen * gatesOf(s).perStep);
    wide.beta = widened(t.beta, overwrites(s) ? heads * s.keyLen : 0);
    wide.o = space.take<double>(outputs);
    wide.state = t.state ? space.take<double>(states) : nullptr;
    wide.z = t.z ? space.take<double>(heads * features) : nullptr;
    RunCost cost = recurrentForm(s, wide, options);
    const auto narrowed = [](const double* from, int64_t count, float* to) {
        std::transform(from, from + (to ? count : 0), to, [](double x) { return static_cast<float>(x); });
    };
    narrowed(wide.o, outputs, t.o);
    narrowed(wide.state, states, t.state);
    narrowed(wide.z, heads * features, t.z);
    cost.extraBytes += space.bytes();
    return cost;
}

} // namespace

std::span<const RungInfo<FeatureMap>> featureMaps() { return maps; }
std::span<const RungInfo<LinearRule>> linearRules() { return rules; }
std::span<const RungInfo<LinearForm>> linearForms() { return forms; }
FeatureMap featureMapByName(std::string_view name) { return byName(maps, "feature map", name); }
LinearRule linearRuleByName(std::string_view name) { return byName(rules, "rule", name); }
LinearForm linearFormByName(std::string_view name) { return byName(forms, "form", name); }

int64_t featureCount(const LinearShape& s) {
    switch (s.map) {
    case FeatureMap::Cos:
        return s.headDim + 1;
    case FeatureMap::Taylor2:
        return 1 + s.headDim + s.headDim * s.headDim;
    case FeatureMap::Favor:
        return s.features;
    default:
        return s.headDim;
    }
}

double scaleOf(const LinearShape& s) {
    const bool root = s.map == FeatureMap::Taylor2 || s.map == FeatureMap::Favor || s.map == FeatureMap::Exp;
    return s.scale.value_or(root ? 1 / std::sqrt(static_cast<double>(s.headDim)) : 1);
}

double retentionDecay(int64_t head) { return 1 - std::exp2(-5 - static_cast<double>(head)); }

void checkShape(const LinearShape& s) {
    constexpr int64_t mostFeatures = 1 << 20;
    if (s.batch < 0 || s.heads < 1 || s.queryLen < 0 || s.keyLen < 0)
        throw InputError(
            fmt::format("batch {}, {} heads, lengths {} and {}: expected at least 1 head, and none negative", s.batch,
                        s.heads, s.queryLen, s.keyLen));
    if (s.headDim < 1 || s.headDim > largestLinearDim)
        throw InputError(fmt::format("headDim is {}, expected 1 to {}", s.headDim, largestLinearDim));
    if (s.valueDim < 1 || s.valueDim > largestLinearDim)
        throw InputError(fmt::format("valueDim is {}, expected 1 to {}", s.valueDim, largestLinearDim));
    if (s.map == FeatureMap::Favor && (s.features < 1 || s.features > mostFeatures))
        throw InputError(
            fmt::format("favor with {} random features, expected 1 to {} (features)", s.features, mostFeatures));
    if (s.chunk < 1)
        throw InputError(fmt::format("a chunk of {} steps, expected at least 1", s.chunk));
    const double scale = scaleOf(s);
    if (!(scale >= 0) || !std::isfinite(scale))
        throw InputError(
            fmt::format("scale is {}, expected a number of at least 0: √scale is a factor of Q and of K", scale));
    if (s.rule != LinearRule::Add && !s.causal)
        throw InputError(fmt::format("rule {} is causal: its state depends on the order of the keys (expected causal)",
                                     rules[static_cast<size_t>(s.rule)].name));
    if (s.map == FeatureMap::Softmax && s.causal)
        throw InputError("feature map softmax is not causal: a softmax of K over positions needs all of them");
    if (s.causal && s.queryLen != s.keyLen)
        throw InputError(
            fmt::format("{} queries and {} keys: expected as many of both under a causal mask", s.queryLen, s.keyLen));
}

template <class T>
RunCost runForm(LinearForm form, const LinearShape& s, const LinearTensors<T>& t, const RunOptions& options) {
    switch (form) {
    case LinearForm::Parallel:
        return parallelForm(s, t, options);
    case LinearForm::Cumsum:
        return cumsumForm(s, t, options);
    case LinearForm::Chunked:
        if constexpr (std::is_same_v<T, float>)
            if (hasChunkProducts(s))
                return chunkedByProducts(s, t, options);
        return chunkedForm(s, t, options);
    default:
        return recurrentForm(s, t, options);
    }
}

template RunCost runForm(LinearForm, const LinearShape&, const LinearTensors<float>&, const RunOptions&);
template RunCost runForm(LinearForm, const LinearShape&, const LinearTensors<double>&, const RunOptions&);

RunCost linearAttention(LinearForm form, const LinearShape& s, const LinearTensors<float>& t,
                        const RunOptions& options) {
    checkShape(s);
    checkTensors(s, t);
    return form == LinearForm::Reference ? inDouble(s, t, options) : runForm(form, s, t, options);
}

RunCost linearAttention(LinearForm form, const LinearShape& s, const LinearTensors<double>& t,
                        const RunOptions& options) {
    checkShape(s);
    checkTensors(s, t);
    return runForm(form, s, t, options);
}

double flopsOf(LinearForm form, const LinearShape& s) {
    const double heads = static_cast<double>(s.batch * s.heads), n = static_cast<double>(s.keyLen),
                 queries = static_cast<double>(s.queryLen), d = static_cast<double>(featureCount(s)),
                 c = static_cast<double>(s.valueDim);
    const double length = static_cast<double>(std::clamp<int64_t>(s.chunk, 1, std::max<int64_t>(s.keyLen, 1)));
    const auto pairs = [&](double steps) { return s.causal ? steps * (steps + 1) / 2 : queries * steps; };
    // A rule that overwrites multiplies keys with keys, and their products with the values that it corrects.
    const double perPair = 2 * (d + c) * (overwrites(s) ? 2 : 1), perStep = 2 * d * c * (overwrites(s) ? 2 : 1);
    if (form == LinearForm::Parallel)
        return heads * perPair * pairs(n);
    double flops = perStep * n + 2 * d * c * queries;
    if (form == LinearForm::Chunked && s.causal) {
        const double whole = std::floor(n / length), rest = n - whole * length;
        flops += perPair * (whole * pairs(length) + pairs(rest));
    }
    return heads * flops;
}

} // namespace warplight::cpu
