// SPDX-License-Identifier: GPL-3.0-or-later
// A user's tensors of the selective scan, and made-up ones.
#include "core/labs/ssm/selective_operator.h"
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
#include <vector>

namespace warplight::labs::ssm {
namespace {

using tensor::Tensor;
using workbench::Problem;
using workbench::Tensors;

using Origin = std::map<std::string, std::string>;

enum Stream : uint64_t { uStream, deltaStream, bStream, cStream, dStream, zStream, biasStream, stateStream };

workbench::Arranged arrange(Tensors& given, const Origin& origin, const std::string&) {
    const auto refuse = [&](const char* name, const std::string& expected) {
        workbench::refuseShape(origin, name, given.at(name).shape, expected);
    };
    if (given.at("u").shape.size() != 3)
        refuse("u", "[batch, dim, len]");
    if (given.at("A").shape.size() != 2)
        refuse("A", "[dim, state]");
    const std::vector<int64_t> rows = given.at("u").shape;
    const int64_t batch = rows[0], dim = rows[1], len = rows[2], state = given.at("A").shape[1];
    const auto expect = [&](const char* name, const std::vector<int64_t>& shape, const char* what) {
        if (given.contains(name) && given.at(name).shape != shape)
            refuse(name, fmt::format("{} {}", what, tensor::shapeText(shape)));
        return given.contains(name);
    };
    expect("delta", rows, "that of u,");
    expect("A", {dim, state}, "a row for each channel of u:");
    int64_t groups = 1;
    for (const char* name : {"B", "C"}) {
        Tensor& t = given.at(name);
        if (t.shape.size() == 3)
            t.shape.insert(t.shape.begin() + 1, 1);
        if (t.shape.size() != 4)
            refuse(name, "[batch, state, len] or [batch, groups, state, len]");
        if (name[0] == 'B')
            groups = t.shape[1];
        expect(name, {batch, groups, state, len}, "[batch, groups, state, len] of u and A, as B:");
    }
    workbench::Arranged arranged;
    workbench::Problem& p = arranged.problem;
    p.set("batch", batch);
    p.set("dim", dim);
    p.set("len", len);
    p.set("state", state);
    p.set("groups", groups);
    p.set("skip", expect("D", {dim}, "a number for each channel:"));
    p.set("bias", expect("delta-bias", {dim}, "a number for each channel:"));
    p.set("gate", expect("z", rows, "that of u,"));
    p.set("first", expect("state", {batch, dim, state}, "[batch, dim, state]:"));
    return arranged;
}

} // namespace

workbench::Arrangement selectiveArrangement() { return {{}, arrange}; }

std::vector<workbench::TensorSpec> selectiveTensorSpecs() {
    using Role = workbench::TensorSpec::Role;
    using Spec = workbench::TensorSpec;
    const std::vector<std::string> rows{"batch", "dim", "len"}, mixing{"batch", "groups", "state", "len"},
        states{"batch", "dim", "state"};
    return {Spec{"u", Role::Input, rows, 2, "", "[batch, dim, len]"},
            Spec{"delta", Role::Input, rows, 8, "Δ", "[batch, dim, len], the step before bias and softplus"},
            Spec{"A", Role::Input, {"dim", "state"}, 0, "", "[dim, state], negative where something is forgotten"},
            Spec{"B", Role::Input, mixing, 5, "B and C", "[batch, state, len] or [batch, groups, state, len]"},
            Spec{"C", Role::Input, mixing, 5, "B and C", "As B"},
            Spec{"D", Role::Input, {"skipDim"}, 4, "D and bias", "[dim], default 0", false},
            Spec{"z",
                 Role::Input,
                 {"batch", "gateDim", "len"},
                 10,
                 "",
                 "[batch, dim, len]; y is multiplied by silu(z)",
                 false},
            Spec{"delta-bias", Role::Input, {"biasDim"}, 4, "D and bias", "[dim], added to delta", false},
            Spec{"state",
                 Role::Input,
                 {"firstBatch", "dim", "state"},
                 7,
                 "",
                 "[batch, dim, state] before the first step, default 0",
                 false},
            Spec{"Y", Role::Output, rows, 3, "", "Where y goes"},
            Spec{"last-state", Role::Statistic, states, 7, "state", "Where the state after the last step goes (f32)",
                 false},
            Spec{"decays", Role::Between, {}, 11, "exp(ΔA)"},
            Spec{"added", Role::Between, {}, 12, "ΔBu"},
            Spec{"states", Role::Between, {}, 6}};
}

std::vector<lab::Parameter::Option> selectiveInputKinds() {
    return {{"gaussian", "Gaussian", "Δ between about 0.001 and 0.1, as Mamba begins; A = -1, -2 … -N"},
            {"large", "Large", "Δ of about 30: nothing is remembered"},
            {"long", "Long memory", "Δ of about 0.0001: thousands of steps add up"}};
}

void fillSelective(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                   const std::atomic<bool>* cancel) {
    for (const auto& [name, stream] :
         {std::pair("u", uStream), std::pair("B", bStream), std::pair("C", cStream), std::pair("D", dStream),
          std::pair("z", zStream), std::pair("state", stateStream)})
        if (const auto found = t.find(name); found != t.end())
            tensor::fillGaussian(found->second.values, seed, stream, 1, cancel);
    std::vector<float>& a = t.at("A").values;
    for (size_t i = 0; i < a.size(); ++i)
        a[i] = -static_cast<float>(static_cast<int64_t>(i) % p["state"] + 1);
    // The step: e^x with x uniform, as the bias of each channel, or without one at each step.
    const double middle = kind == "large" ? std::log(30.0) : std::log(kind == "long" ? 1e-4 : 1e-2);
    const auto spread = static_cast<float>(kind == "large" ? 0.1 : std::log(10.0));
    const bool softplus = p.flag("delta-softplus");
    const auto size = [&](float x) {
        const double step = std::exp(middle + static_cast<double>(x));
        return static_cast<float>(softplus ? step + std::log(-std::expm1(-step)) : step); // softplus of which is step
    };
    std::vector<float>&delta = t.at("delta").values, &bias = t.at("delta-bias").values;
    tensor::fillUniform(bias, seed, biasStream, -spread, spread, cancel);
    std::transform(bias.begin(), bias.end(), bias.begin(), size);
    if (bias.empty()) {
        tensor::fillUniform(delta, seed, deltaStream, -spread, spread, cancel);
        std::transform(delta.begin(), delta.end(), delta.begin(), size);
    } else {
        tensor::fillGaussian(delta, seed, deltaStream, softplus ? 0.5f : 1e-3f, cancel);
    }
}

} // namespace warplight::labs::ssm
