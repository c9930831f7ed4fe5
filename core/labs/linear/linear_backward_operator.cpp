// SPDX-License-Identifier: GPL-3.0-or-later
// The gradients of linear attention, as an operator.
#include "core/cpu/linear/backward.h"
#include "core/labs/attention/tensors.h"
#include "core/labs/linear/linear_operator.h"
#include "core/tensor/random.h"
#include "core/workbench/arrange.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using workbench::Implementation;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;

constexpr uint64_t gradientStream = 5; ///< behind those of linear_inputs.cpp

std::vector<workbench::TensorSpec> tensorSpecs() {
    using Role = workbench::TensorSpec::Role;
    std::vector<workbench::TensorSpec> all = linearTensorSpecs();
    std::erase_if(all, [](const auto& t) {
        return t.role == Role::Statistic || t.role == Role::Between || t.name == "O" || t.name == "decay" ||
               t.name == "beta";
    });
    const auto extentsOf = [&](const char* name) {
        return std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.name == name; })->extents;
    };
    const auto q = extentsOf("Q"), k = extentsOf("K"), v = extentsOf("V");
    all.push_back({"dO", Role::Input, {"batch", "heads", "queryLen", "valueDim"}, 6});
    all.push_back({"dQ", Role::Output, q, 1, "", "Where the gradient of Q goes"});
    all.push_back({"dK", Role::Output, k, 9, "", "Where the gradient of K goes"});
    all.push_back({"dV", Role::Output, v, 8, "", "Where the gradient of V goes"});
    return all;
}

Implementation onCpu(const cpu::RungInfo<cpu::LinearForm>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.id));
    i.heldBytes = [form = rung.id](const Problem& p, int threads) {
        return cpu::backwardBytesAtMost(form, linearShape(p), threads);
    };
    i.flops = [form = rung.id](const Problem& p) { return cpu::backwardFlopsOf(form, linearShape(p)); };
    i.onCpu = [form = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        const auto at = [&](const char* name) { return t.at(name).values.data(); };
        cpu::LinearTensors<float> given;
        given.q = at("Q");
        given.k = at("K");
        given.v = at("V");
        const cpu::LinearGradients<float> made{at("dO"), at("dQ"), at("dK"), at("dV")};
        return cpu::linearAttentionBackward(form, linearShape(p), given, made, how).extraBytes;
    };
    return i;
}

/// Q, K and V as linear attention has them; dO as its O.
workbench::Arranged arrange(Tensors& given, const std::map<std::string, std::string>& origin,
                            const std::string& layout) {
    tensor::Tensor& dOut = given.at("dO");
    const std::vector<int64_t> shape = dOut.shape;
    dOut = attention::toBhnd(std::move(dOut), attention::layoutByName(layout), origin.at("dO"));
    workbench::Arranged arranged = linearArrangement().in(given, origin, layout);
    const std::vector<int64_t> expected{arranged.problem["batch"], arranged.problem["heads"],
                                        arranged.problem["queryLen"], arranged.problem["valueDim"]};
    if (given.at("dO").shape != expected)
        workbench::refuseShape(origin, "dO", shape, fmt::format("that of O: as Q, with {} columns", expected[3]));
    return arranged;
}

} // namespace

Operator linearBackwardOperator() {
    Operator op;
    op.id = "linear-attention-backward";
    op.lab = "Linear attention";
    op.title = "Linear attention backward";
    op.page = "Backward";
    op.gradientOf = "linear-attention";
    op.formula = "dQ, dK, dV = ∇ Σ dO ∘ O of linear attention, rule add";
    op.flopsText = "16·d·d a step and head, with d features and values: four states";
    op.questions = {{Page::Race, "What do gradients cost when all four of their sums are linear attention again?"}};
    op.knobs = [](Page page) {
        std::vector<workbench::Knob> knobs = linearKnobs(page);
        std::erase_if(knobs, [](const auto& knob) { return knob.id == "rule"; });
        return knobs;
    };
    op.tensors = tensorSpecs();
    op.inputKinds = linearInputKinds();
    std::erase_if(op.inputKinds, [](const auto& kind) { return kind.id == "resets"; }); // of decays
    op.complete = [](Problem& p) {
        completeLinear(p);
        cpu::checkBackwardShape(linearShape(p));
    };
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        t["decay"].values.clear();
        t["beta"].values.clear();
        fillLinear(p, kind, seed, t, cancel);
        t.erase("decay");
        t.erase("beta");
        tensor::fillGaussian(t.at("dO").values, seed, gradientStream, 1, cancel);
    };
    for (const auto& rung : cpu::linearBackwardForms())
        op.ladder.push_back(onCpu(rung));
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        onCpu(cpu::linearBackwardForms().front()).onCpu(p, t, how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::backwardFlopsOf(cpu::LinearForm::Recurrent, linearShape(p)); };
    op.inWords = linearInWords;
    op.options = linearOptions();
    std::erase_if(op.options, [](const auto& option) { return option.id == "rule"; });
    op.lower = "seqLen, heads, headDim, features or batch";
    op.rungOption = "form";
    op.baseline = "parallel";
    op.frugal = "chunked";
    op.arrangement = linearArrangement();
    op.arrangement->in = arrange;
    return op;
}

} // namespace warplight::labs::linear
