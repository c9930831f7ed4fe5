// SPDX-License-Identifier: GPL-3.0-or-later
// Attention backward, as an operator.
#include "core/cpu/attention/backward.h"
#include "core/labs/attention/attention_operator.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/tensors.h"
#include "core/tensor/random.h"
#include "core/workbench/arrange.h"
#include "gpu/error.h"
#include "gpu/ops/attention_backward.h"
#include "gpu/ops/attention_backward_traffic.h"

#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using workbench::Implementation;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

constexpr uint64_t gradientStream = 3; ///< of the seed; Q, K and V take those before

cpu::BackwardProblem backwardProblem(const Problem& p, Tensors& t) {
    return {cpuProblem(p, &t), t.at("dO").values.data(), t.at("dQ").values.data(), t.at("dK").values.data(),
            t.at("dV").values.data()};
}

std::vector<TensorSpec> tensors() {
    using Role = TensorSpec::Role;
    std::vector<TensorSpec> all;
    for (TensorSpec& spec : attentionTensors())
        if (spec.role == Role::Input)
            all.push_back(std::move(spec));
    const std::vector<std::string> queries = all[0].extents, keys = all[1].extents;
    all.push_back(
        {"O", Role::Input, queries, 3, "", "Of the forward pass; computed anew where it is not given", false});
    TensorSpec lse{"lse", Role::Input,  {"batch", "queryHeads", "queryLen"},
                   7,     "statistics", "Of the forward pass; computed anew where it is not given",
                   false};
    lse.fixed = number::Format::F32;
    all.push_back(lse);
    all.push_back({"dO", Role::Input, queries, 6});
    all.push_back({"dQ", Role::Output, queries, 1, "", "Where the gradient of Q goes"});
    all.push_back({"dK", Role::Output, keys, 9, "", "Where the gradient of K goes"});
    all.push_back({"dV", Role::Output, keys, 8, "", "Where the gradient of V goes"});
    all.push_back({"D", Role::Between, {}, 7, "statistics"});
    all.push_back({"P", Role::Between, {}, 4});
    all.push_back({"dS", Role::Between, {}, 10});
    return all;
}

/// Each tensor once; P and dS written and read where they are kept.
gpu::TensorTraffic cpuBytes(const Problem& p, bool keeps) {
    gpu::TensorTraffic t = workbench::compulsoryTraffic(tensors(), p);
    const double scores = 4 * static_cast<double>(p["batch"]) * static_cast<double>(p["queryHeads"] * p["queryLen"]) *
                          static_cast<double>(p["keyLen"]);
    if (keeps)
        t["P"] = t["dS"] = {scores, scores};
    return t;
}

int colourOf(std::string_view id) { return id == "standard-bwd" ? 1 : id == "reference" ? 4 : 0; }

Implementation onCpu(const cpu::RungInfo<cpu::BackwardRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    if (rung.id == cpu::BackwardRung::Standard)
        i.held = "P and dS";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, cpuProblem(p), threads);
    };
    i.bytes = [keeps = rung.id == cpu::BackwardRung::Standard](const Problem& p) { return cpuBytes(p, keeps); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::attentionBackward(id, backwardProblem(p, t), how).extraBytes;
    };
    return i;
}

Implementation onGpu(gpu::BackwardRung rung, const char* title, const char* improves) {
    Implementation i = workbench::implementationOf(gpu::name(rung), title, improves, Implementation::Device::Gpu,
                                                   colourOf(gpu::name(rung)));
    if (rung == gpu::BackwardRung::Standard)
        i.held = "P and dS";
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); };
    i.heldBytes = [rung](const Problem& p, int) { return gpu::deviceBytes(rung, gpuShape(p)); };
    i.bytes = [rung](const Problem& p) { return gpu::algorithmicTraffic(rung, gpuShape(p)); };
    i.onGpu = [rung](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                     const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto at = [&](const char* name) { return t.at(name).values.data(); };
        gpu::AttentionGradients made = gpu::attentionBackward(library, rung, gpuShape(p), at("Q"), at("K"), at("V"),
                                                              at("O"), at("lse"), at("dO"), how);
        t.at("dQ").values = std::move(made.dq);
        t.at("dK").values = std::move(made.dk);
        t.at("dV").values = std::move(made.dv);
        return gpu::Launched(std::move(made));
    };
    return i;
}

/// Q, K and V as attention has them; O, lse and dO as Q.
workbench::Arranged arrangeBackward(Tensors& given, const std::map<std::string, std::string>& origin,
                                    const std::string& layout) {
    for (const char* name : {"O", "dO"})
        if (const auto found = given.find(name); found != given.end()) {
            if (found->second.shape != given.at("Q").shape)
                workbench::refuseShape(origin, name, found->second.shape,
                                       fmt::format("that of Q, {}", tensor::shapeText(given.at("Q").shape)));
            found->second = toBhnd(std::move(found->second), layoutByName(layout), origin.at(name));
        }
    workbench::Arranged arranged = attentionArrangement().in(given, origin, layout);
    if (const auto lse = given.find("lse"); lse != given.end()) {
        const auto& q = given.at("Q").shape;
        const std::vector<int64_t> expected{q[0], q[1], q[2]};
        while (lse->second.shape.size() < expected.size())
            lse->second.shape.insert(lse->second.shape.begin(), 1);
        if (lse->second.shape != expected)
            workbench::refuseShape(origin, "lse", lse->second.shape, tensor::shapeText(expected));
    }
    return arranged;
}

} // namespace

Operator backwardOperator() {
    Operator op;
    op.id = "attention-backward";
    op.lab = "Attention";
    op.title = "Attention backward";
    op.page = "Backward";
    op.gradientOf = "attention";
    op.formula = "dQ, dK, dV = ∇ Σ dO ∘ softmax(scale · Q Kᵀ + mask) V";
    op.flopsText = "10·N²·d per head, about half when causal";
    op.questions = {{Page::Race, "What does the backward pass cost, and what does computing P anew save?"}};
    op.knobs = attentionKnobs;
    op.tensors = tensors();
    op.inputKinds = inputKinds();
    op.complete = completeAttention;
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        fillInputs(cpuProblem(p), kind, seed, t.at("Q").values, t.at("K").values, t.at("V").values, cancel);
        tensor::fillGaussian(t.at("dO").values, seed, gradientStream, 1, cancel);
    };
    op.derive = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        computeForward(cpu::Implementation::FlashPacked, p, t, how);
    };
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::attentionBackward(cpu::BackwardRung::Reference, backwardProblem(p, t), how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::usefulBackwardFlops(cpuProblem(p)); };
    op.inWords = attentionInWords;
    op.options = attentionOptions();
    op.lower = "seqLen, heads, headDim or batch";
    for (const auto& rung : cpu::backwardRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu(gpu::BackwardRung::Standard, "P and dS whole in memory",
                              "Each product on its own; P and dS are written and read."));
    op.ladder.push_back(onGpu(gpu::BackwardRung::Flash2, "FlashAttention-2's backward pass",
                              "P is computed anew, tile by tile, from the log-sum-exp; nothing of size N² is kept."));
    op.baseline = "standard-bwd";
    op.frugal = "flash2-bwd";
    op.trafficRatios = {{"standardOverFlash2", "standard-bwd", "flash2-bwd"}};
    op.arrangement = attentionArrangement();
    op.arrangement->in = arrangeBackward;
    return op;
}

} // namespace warplight::labs::attention
