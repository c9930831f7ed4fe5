// SPDX-License-Identifier: GPL-3.0-or-later
// Mamba's selective scan, as an operator: its ladder, bytes and FLOPs.
#include "core/labs/ssm/selective_operator.h"

#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::labs::ssm {
namespace {

using workbench::Implementation;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;

/// If caches hold B and C of some steps, and a state: each tensor once, and of `unfused` each number of decays, inputs
/// and states written once and read once.
gpu::TensorTraffic bytesOf(cpu::SelectiveRung rung, const Problem& p) {
    gpu::TensorTraffic t = workbench::compulsoryTraffic(selectiveTensorSpecs(), p);
    if (rung == cpu::SelectiveRung::Unfused) {
        const double each = 4 * p.real("batch") * p.real("dim") * p.real("len") * p.real("state");
        t["decays"] = t["added"] = t["states"] = {each, each};
    }
    return t;
}

Implementation onCpu(const cpu::RungInfo<cpu::SelectiveRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   selectiveColour(rung.name));
    i.chosen = rung.id != cpu::SelectiveRung::Reference;
    if (rung.id == cpu::SelectiveRung::Unfused)
        i.held = "decays, inputs and states";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, selectiveShape(p), threads);
    };
    if (rung.id != cpu::SelectiveRung::Reference)
        i.bytes = [id = rung.id](const Problem& p) { return bytesOf(id, p); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::selectiveScan(id, selectiveShape(p), selectiveTensors(t), how).extraBytes;
    };
    return i;
}

} // namespace

int selectiveColour(std::string_view rung) {
    return rung == "stepwise" ? 6 : rung == "unfused" ? 10 : rung == "fused" ? 5 : 4;
}

cpu::SelectiveShape selectiveShape(const Problem& p) {
    cpu::SelectiveShape s;
    s.batch = p["batch"];
    s.dim = p["dim"];
    s.length = p["len"];
    s.state = p["state"];
    s.groups = p["groups"];
    s.softplus = p.flag("delta-softplus");
    return s;
}

cpu::SelectiveTensors<float> selectiveTensors(Tensors& t) {
    const auto at = [&](const char* name) -> float* {
        const auto found = t.find(name);
        return found == t.end() || found->second.values.empty() ? nullptr : found->second.values.data();
    };
    cpu::SelectiveTensors<float> s;
    s.u = at("u"), s.delta = at("delta"), s.a = at("A"), s.b = at("B"), s.c = at("C");
    s.d = at("D"), s.z = at("z"), s.bias = at("delta-bias"), s.first = at("state");
    s.y = at("Y"), s.last = at("last-state");
    return s;
}

Operator selectiveScanOperator() {
    Operator op;
    op.id = "selective-scan";
    op.lab = "State space models";
    op.title = "Selective scan";
    op.formula = "h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t, y_t = C_t·h_t + D u_t";
    op.flopsText = "9·N a channel and step, with N states, and 2 for D and the gate";
    op.questions = {
        {Page::Race, "What does it cost to keep every state in memory, and how far is one exponential a state and step "
                     "from what this machine can do?"},
        {Page::Traffic, "How many bytes does a scan move that never writes its states, and how often is B read?"}};
    op.abouts = {
        {Page::Race,
         "**Selective scan** (Mamba; Gu and Dao 2023): each channel keeps N numbers h, which decay by exp(Δ A) and "
         "take "
         "Δ B u at each step; Δ, B and C depend on the token, so that it decides what is kept. `unfused` writes "
         "decays, "
         "inputs and all states to memory, each N times as large as u; `fused` keeps states in registers and writes y "
         "alone: the same y. **FLOPs**: " +
             op.flopsText +
             ", as the authors' repository counts them; an exponential counts as one. **% of f32 peak**: against this "
             "machine's own fused multiply-add rate."}};
    op.knobs = selectiveKnobs;
    op.tensors = selectiveTensorSpecs();
    op.inputKinds = selectiveInputKinds();
    op.complete = completeSelective;
    op.fill = fillSelective;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::selectiveScan(cpu::SelectiveRung::Reference, selectiveShape(p), selectiveTensors(t), how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::flopsOf(selectiveShape(p)); };
    op.inWords = selectiveInWords;
    op.options = {lab::Parameter::flag("delta-softplus", "Softplus", false,
                                       "Δ = softplus(delta + bias), which is its argument above 20, instead of delta + "
                                       "bias")};
    op.lower = "len, dim, state or batch";
    for (const auto& rung : cpu::selectiveRungs())
        op.ladder.push_back(onCpu(rung));
    for (Implementation& rung : selectiveGpuRungs())
        op.ladder.push_back(std::move(rung));
    op.baseline = "unfused";
    op.frugal = "fused";
    op.trafficRatios = {{"unfusedOverFused", "unfused", "fused"}};
    op.arrangement = selectiveArrangement();
    return op;
}

} // namespace warplight::labs::ssm
