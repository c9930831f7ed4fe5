// SPDX-License-Identifier: GPL-3.0-or-later
// A user's tensors of linear attention, and made-up ones.
#include "core/cpu/linear/feature_map.h"
#include "core/error.h"
#include "core/labs/attention/tensors.h"
#include "core/labs/linear/linear_operator.h"
#include "core/tensor/random.h"
#include "core/workbench/arrange.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using attention::Layout;
using tensor::Tensor;
using workbench::Problem;
using workbench::Tensors;

enum Stream : uint64_t { queryStream, keyStream, valueStream, decayStream, betaStream };
constexpr int64_t resetEvery = 16; ///< steps, of the input "resets"

using Origin = std::map<std::string, std::string>;

/// One number a step, or several: [.., keys] or [.., keys, numbers] as K has its dimensions, to [batch, heads, keys,
/// numbers].
Tensor perStep(Tensor t, size_t rank, Layout layout, const Origin& origin, const char* name, const Tensor& k) {
    const std::vector<int64_t> shape = t.shape;
    if (t.shape.size() + 1 == rank)
        t.shape.push_back(1);
    if (t.shape.size() != rank)
        workbench::refuseShape(origin, name, shape, "K's without or with a last dimension of its own");
    t = attention::toBhnd(std::move(t), layout, origin.at(name));
    if (!std::equal(t.shape.begin(), t.shape.begin() + 3, k.shape.begin()))
        workbench::refuseShape(origin, name, shape,
                               fmt::format("as many batch entries, heads and steps as K has: {}, {} and {}", k.shape[0],
                                           k.shape[1], k.shape[2]));
    return t;
}

workbench::Arranged arrange(Tensors& given, const Origin& origin, const std::string& layoutName) {
    const Layout layout = attention::layoutByName(layoutName);
    const size_t rank = given.at("Q").shape.size();
    const auto likeQ = [&](const char* name) {
        if (given.at(name).shape.size() != rank)
            workbench::refuseShape(origin, name, given.at(name).shape,
                                   fmt::format("as many dimensions as Q {}", tensor::shapeText(given.at("Q").shape)));
        return attention::toBhnd(given.at(name), layout, origin.at(name));
    };
    Tensor q = likeQ("Q"), k = likeQ("K"), v = likeQ("V");
    const auto same = [&](const char* name, int64_t found, int64_t expected, const char* what, const char* as) {
        if (found != expected)
            throw InputError(
                fmt::format("{}: {} {}, expected {} as in {}", origin.at(name), what, found, expected, as));
    };
    for (const auto& [name, t] : {std::pair("K", &k), std::pair("V", &v)}) {
        same(name, t->shape[0], q.shape[0], "batch", "Q");
        same(name, t->shape[1], q.shape[1], "number of heads", "Q");
    }
    same("K", k.shape[3], q.shape[3], "head dimension", "Q");
    same("V", v.shape[2], k.shape[2], "length", "K");
    workbench::Arranged arranged;
    arranged.problem.set("batch", q.shape[0]);
    arranged.problem.set("heads", q.shape[1]);
    arranged.problem.set("queryLen", q.shape[2]);
    arranged.problem.set("keyLen", k.shape[2]);
    arranged.problem.set("headDim", q.shape[3]);
    arranged.problem.set("valueDim", v.shape[3]);
    arranged.problem.set("givenDecay", 0);
    arranged.problem.set("givenBeta", 0);
    for (const auto& [name, id] : {std::pair("decay", "givenDecay"), std::pair("beta", "givenBeta")})
        if (given.contains(name)) {
            given[name] = perStep(std::move(given[name]), rank, layout, origin, name, k);
            arranged.problem.set(id, given[name].shape[3]);
        }
    given["Q"] = std::move(q);
    given["K"] = std::move(k);
    given["V"] = std::move(v);
    arranged.out = [layout, rank](const std::string& name, Tensor made) {
        const bool isState = name == "state" || name == "z";
        if (!isState && rank == 4) // swapping twice is no swap
            return attention::toBhnd(std::move(made), layout, name);
        for (size_t i = rank; i < 4; ++i)
            made.shape.erase(made.shape.begin());
        return made;
    };
    return arranged;
}

} // namespace

workbench::Arrangement linearArrangement() { return {{"BHND", "BNHD"}, arrange}; }

std::vector<workbench::TensorSpec> linearTensorSpecs() {
    using Role = workbench::TensorSpec::Role;
    using Spec = workbench::TensorSpec;
    const std::vector<std::string> queries{"batch", "heads", "queryLen", "headDim"},
        keys{"batch", "heads", "keyLen", "headDim"}, values{"batch", "heads", "keyLen", "valueDim"},
        outputs{"batch", "heads", "queryLen", "valueDim"}, decays{"batch", "heads", "decayLen", "decayDim"},
        states{"batch", "heads", "featureDim", "valueDim"};
    return {
        Spec{"Q", Role::Input, queries, 0},
        Spec{"K", Role::Input, keys, 5},
        Spec{"V", Role::Input, values, 2},
        Spec{"decay", Role::Input, decays, 8, "",
             "Factors, not logarithms: one a step for retention (default 1 - 2^(-5-head)) and gated-delta, one a "
             "step and feature for gla",
             false},
        Spec{"beta", Role::Input, {"batch", "heads", "betaLen"}, 9, "", "One a step, for delta and gated-delta", false},
        Spec{"O", Role::Output, outputs, 3, "", "Where O goes"},
        Spec{"state", Role::Statistic, states, 7, "", "Where the state after the last key goes (f32)", false},
        Spec{"z",
             Role::Statistic,
             {"batch", "heads", "featureDim"},
             10,
             "",
             "Where the same for values of 1 goes (f32)",
             false},
        Spec{"phi", Role::Between, {}, 11, "features"},
        Spec{"phiQ", Role::Between, {}, 11, "features"},
        Spec{"phiK", Role::Between, {}, 11, "features"},
        Spec{"omega", Role::Between, {}, 11, "features"},
        Spec{"largest", Role::Between, {}, 11, "features"},
        Spec{"shift", Role::Between, {}, 11, "features"},
        Spec{"states", Role::Between, {}, 6},
        Spec{"sums", Role::Between, {}, 6, "states"},
        Spec{"added", Role::Between, {}, 2, "V"},
        Spec{"ones", Role::Between, {}, 10, "z"}};
}

std::vector<lab::Parameter::Option> linearInputKinds() {
    return {{"gaussian", "Gaussian", "independent normal numbers"},
            {"large", "Large", "queries and keys times 10"},
            {"allEqual", "All equal", "Q is zero: every key weighs the same, if φ(0) is not 0"},
            {"resets", "Resets", "decays of exactly 0 at every 16th step: all before is forgotten"}};
}

void fillLinear(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    const float spread = kind == "large" ? 10.0f : 1.0f;
    tensor::fillGaussian(t.at("Q").values, seed, queryStream, kind == "allEqual" ? 0.0f : spread, cancel);
    tensor::fillGaussian(t.at("K").values, seed, keyStream, spread, cancel);
    tensor::fillGaussian(t.at("V").values, seed, valueStream, 1, cancel);
    std::vector<float>& decay = t.at("decay").values;
    tensor::fillUniform(decay, seed, decayStream, 0.9f, 1, cancel);
    if (kind == "resets")
        for (size_t i = 0; i < decay.size(); ++i)
            if (static_cast<int64_t>(i) / p["decayDim"] % resetEvery == resetEvery - 1)
                decay[i] = 0;
    std::vector<float>& beta = t.at("beta").values;
    tensor::fillUniform(beta, seed, betaStream, 0, 1, cancel);
    if (beta.empty())
        return;
    const cpu::Features<float> map(linearShape(p)); // I - β k kᵀ makes nothing longer for β |k|² below 2
    std::vector<float> features(static_cast<size_t>(map.count()));
    for (size_t i = 0; i < beta.size(); ++i) {
        checkCancelled(cancel);
        map.ofKeys(t.at("K").values.data() + static_cast<ptrdiff_t>(i) * p["headDim"], 1, features.data());
        double square = 0;
        for (const float x : features)
            square += static_cast<double>(x) * static_cast<double>(x);
        beta[i] = square > 0 ? static_cast<float>(static_cast<double>(beta[i]) / square) : 0.0f;
    }
}

} // namespace warplight::labs::linear
