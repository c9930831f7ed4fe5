// SPDX-License-Identifier: GPL-3.0-or-later
// Linear attention, as an operator: its ladder of forms, their bytes and FLOPs.
#include "core/labs/linear/linear_operator.h"

#include "core/error.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::labs::linear {
namespace {

using workbench::Implementation;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;

/// If caches hold a state: each tensor once, features written and read, and of cumsum every state: its product written,
/// read and written again by the sum, and read by the query.
gpu::TensorTraffic bytesOf(cpu::LinearForm form, const Problem& p) {
    gpu::TensorTraffic t = workbench::compulsoryTraffic(linearTensorSpecs(), p);
    const double rows = p.real("batch") * p.real("heads") * (p.real("queryLen") + p.real("keyLen")),
                 features = 4 * rows * p.real("featureDim");
    t["phi"] = {features, features};
    if (form == cpu::LinearForm::Cumsum) {
        const double states = features * p.real("keyLen") / (p.real("queryLen") + p.real("keyLen")) *
                              (p.real("valueDim") + (p.flag("normalise") ? 1 : 0));
        t["states"] = {2 * states, 2 * states};
    }
    return t;
}

Implementation onCpu(const cpu::RungInfo<cpu::LinearForm>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.id));
    if (rung.id == cpu::LinearForm::Cumsum)
        i.held = "a state for each step";
    i.heldBytes = [form = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(form, linearShape(p), threads);
    };
    i.bytes = [form = rung.id](const Problem& p) { return bytesOf(form, p); };
    i.flops = [form = rung.id](const Problem& p) { return cpu::flopsOf(form, linearShape(p)); };
    i.onCpu = [form = rung.id](const Problem& p, Tensors& tensors, const cpu::RunOptions& how) {
        return cpu::linearAttention(form, linearShape(p), linearTensors(tensors), how).extraBytes;
    };
    return i;
}

/// What a user's decay and beta have to be, once the rule is known.
void checkGiven(const Problem& p) {
    if (!p.has("givenDecay"))
        return;
    const std::string_view rule = cpu::linearRules()[static_cast<size_t>(p["rule"])].name;
    const int64_t decay = p["givenDecay"], beta = p["givenBeta"];
    const bool isOptional = linearShape(p).rule == cpu::LinearRule::Retention;
    if (p["decayLen"] == 0 && decay > 0)
        throw InputError(fmt::format("--decay: rule {} has none, expected rule retention, gla or gated-delta", rule));
    if (p["decayLen"] > 0 && decay == 0 && !isOptional)
        throw InputError(fmt::format("--decay is missing: rule {} needs a factor for each step{}", rule,
                                     p["decayDim"] > 1 ? " and feature" : ""));
    if (decay > 0 && decay != p["decayDim"])
        throw InputError(fmt::format("--decay: {} factors a step, expected {} for rule {} with {} features", decay,
                                     p["decayDim"], rule, p["featureDim"]));
    if (p["betaLen"] == 0 && beta > 0)
        throw InputError(fmt::format("--beta: rule {} has none, expected rule delta or gated-delta", rule));
    if (p["betaLen"] > 0 && beta == 0)
        throw InputError(fmt::format("--beta is missing: rule {} needs one for each step", rule));
    if (beta > 1)
        throw InputError(fmt::format("--beta: {} numbers a step, expected 1", beta));
}

} // namespace

int colourOf(cpu::LinearForm form) {
    switch (form) {
    case cpu::LinearForm::Reference:
        return 4;
    case cpu::LinearForm::Parallel:
        return 1;
    case cpu::LinearForm::Recurrent:
        return 5;
    case cpu::LinearForm::Cumsum:
        return 10;
    case cpu::LinearForm::Chunked:
        return 6;
    }
    return 7;
}

cpu::LinearTensors<float> linearTensors(Tensors& t) {
    const auto at = [&](const char* name) {
        auto& values = t[name].values;
        return values.empty() ? nullptr : values.data();
    };
    return {at("Q"), at("K"), at("V"), at("decay"), at("beta"), at("O"), at("state"), at("z")};
}

Operator linearOperator() {
    Operator op;
    op.id = "linear-attention";
    op.lab = op.title = "Linear attention";
    op.formula = "o_t = φ(q_t)ᵀ S_t / φ(q_t)ᵀ z_t";
    op.flopsText = "4·d·d a step and head, with d features and values: what the state alone costs";
    op.questions = {
        {Page::Race, "From which length on does a state of constant size beat the pairs of all steps, and which form "
                     "of the same sum is fastest?"},
        {Page::Accuracy, "All forms are one sum: how far do roundings take them apart, for each map and rule?"}};
    op.knobs = linearKnobs;
    op.tensors = linearTensorSpecs();
    op.inputKinds = linearInputKinds();
    op.complete = [](Problem& p) {
        completeLinear(p);
        checkGiven(p);
    };
    op.fill = fillLinear;
    op.derive = [](const Problem& p, Tensors& t, const cpu::RunOptions&) { // RetNet's decays, unless others are given
        const bool given = p.has("givenDecay") && p["givenDecay"] > 0;
        if (linearShape(p).rule != cpu::LinearRule::Retention || given)
            return;
        std::vector<float>& decay = t.at("decay").values;
        for (size_t i = 0; i < decay.size(); ++i)
            decay[i] = static_cast<float>(cpu::retentionDecay(static_cast<int64_t>(i) / p["keyLen"] % p["heads"]));
    };
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::linearAttention(cpu::LinearForm::Reference, linearShape(p), linearTensors(t), how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::flopsOf(cpu::LinearForm::Recurrent, linearShape(p)); };
    op.inWords = linearInWords;
    op.options = linearOptions();
    op.lower = "seqLen, heads, headDim, features or batch";
    op.rungOption = "form";
    for (const auto& rung : cpu::linearForms())
        op.ladder.push_back(onCpu(rung));
    for (Implementation& rung : linearGpuRungs())
        op.ladder.push_back(std::move(rung));
    op.baseline = "parallel";
    op.frugal = "chunked";
    op.theory = "operations alone meet at N = d";
    op.arrangement = linearArrangement();
    return op;
}

} // namespace warplight::labs::linear
