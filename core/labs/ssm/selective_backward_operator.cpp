// SPDX-License-Identifier: GPL-3.0-or-later
// The gradients of the selective scan, as an operator.
#include "core/cpu/ssm/selective_backward.h"
#include "core/labs/ssm/selective_operator.h"
#include "core/tensor/random.h"
#include "core/workbench/arrange.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using workbench::Implementation;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;

constexpr uint64_t gradientStream = 8; ///< behind those of selective_inputs.cpp

std::vector<workbench::TensorSpec> tensorSpecs() {
    using Role = workbench::TensorSpec::Role;
    std::vector<workbench::TensorSpec> all = selectiveTensorSpecs();
    std::erase_if(all, [](const auto& t) { return t.role != Role::Input || t.name == "state"; });
    const auto inputs = all;
    all.push_back({"dY", Role::Input, {"batch", "dim", "len"}, 6, "", "[batch, dim, len], of the loss by y"});
    const std::map<std::string, std::pair<int, const char*>> shown{{"u", {1, ""}},
                                                                   {"delta", {3, "dΔ"}},
                                                                   {"A", {7, "dA, dD and dbias"}},
                                                                   {"B", {11, "dB and dC"}},
                                                                   {"C", {11, "dB and dC"}},
                                                                   {"z", {12, ""}},
                                                                   {"D", {7, "dA, dD and dbias"}},
                                                                   {"delta-bias", {7, "dA, dD and dbias"}}};
    for (const auto& input : inputs) {
        const auto& [colour, label] = shown.at(input.name);
        all.push_back({"d" + input.name, Role::Output, input.extents, colour, label,
                       fmt::format("Where the gradient of {} goes", input.name), input.wanted});
        if (input.name != "u" && input.name != "delta" && input.name != "z") // sums over channels or sequences
            all.push_back({"d" + input.name + "-parts", Role::Between, {}, colour, label});
    }
    all.push_back({"states", Role::Between, {}, 9, "states of chunks"});
    return all;
}

Implementation onCpu(const cpu::RungInfo<cpu::SelectiveRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   selectiveColour(rung.name));
    i.chosen = rung.id != cpu::SelectiveRung::Reference;
    i.held = "states of chunks";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::backwardBytesAtMost(id, selectiveShape(p), threads);
    };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        const auto at = [&](const char* name) { return t.at(name).values.data(); };
        const auto ifThere = [&](const char* flag, const char* name) { return p.flag(flag) ? at(name) : nullptr; };
        const cpu::SelectiveGradients<float> made{at("dY"),
                                                  at("du"),
                                                  at("ddelta"),
                                                  at("dA"),
                                                  at("dB"),
                                                  at("dC"),
                                                  ifThere("skip", "dD"),
                                                  ifThere("gate", "dz"),
                                                  ifThere("bias", "ddelta-bias")};
        return cpu::selectiveScanBackward(id, selectiveShape(p), selectiveTensors(t), made, how).extraBytes;
    };
    return i;
}

workbench::Arranged arrange(Tensors& given, const std::map<std::string, std::string>& origin,
                            const std::string& layout) {
    workbench::Arranged arranged = selectiveArrangement().in(given, origin, layout);
    if (given.at("dY").shape != given.at("u").shape)
        workbench::refuseShape(origin, "dY", given.at("dY").shape,
                               fmt::format("that of u, {}", tensor::shapeText(given.at("u").shape)));
    return arranged;
}

} // namespace

Operator selectiveScanBackwardOperator() {
    Operator op;
    op.id = "selective-scan-backward";
    op.lab = "State space models";
    op.title = "Selective scan backward";
    op.page = "Backward";
    op.gradientOf = "selective-scan";
    op.formula = "du, dΔ, dA, dB, dC, dD, dz = ∇ Σ dY ∘ Y of the selective scan";
    op.flopsText = "20·N a channel and step, with N states: 5 that compute them again, 15 that go back";
    op.questions = {
        {Page::Race, "What do gradients cost when states are computed again instead of kept?"},
        {Page::Traffic, "How many bytes do gradients that are sums over channels take, beside all others?"}};
    op.knobs = selectiveKnobs;
    op.tensors = tensorSpecs();
    op.inputKinds = selectiveInputKinds();
    op.complete = completeSelective;
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        fillSelective(p, kind, seed, t, cancel);
        tensor::fillGaussian(t.at("dY").values, seed, gradientStream, 1, cancel);
    };
    for (const auto& rung : cpu::selectiveBackwardRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(selectiveBackwardOnGpu());
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        onCpu(cpu::selectiveBackwardRungs().front()).onCpu(p, t, how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::backwardFlopsOf(selectiveShape(p)); };
    op.inWords = selectiveInWords;
    op.options = selectiveScanOperator().options;
    op.lower = "len, dim, state or batch";
    op.baseline = "stepwise";
    op.frugal = "fused";
    op.arrangement = selectiveArrangement();
    op.arrangement->in = arrange;
    return op;
}

} // namespace warplight::labs::ssm
