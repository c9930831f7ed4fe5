// SPDX-License-Identifier: GPL-3.0-or-later
// Mamba-2's SSD (state space duality), as an operator.
#include "core/labs/ssm/ssd_operator.h"

#include "core/cpu/rounding.h"
#include "core/labs/ssm/sequence_knobs.h"
#include "core/workbench/knobs.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using lab::Parameter;
using workbench::dimension;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

cpu::SsdTensors tensorsOf(const Problem& p, Tensors& t) {
    const auto of = [&](const char* name) { return t.at(name).values.data(); };
    return {of("X"), of("A"),         of("B"), of("C"), p.flag("begins") ? of("initial-state") : nullptr,
            of("Y"), of("last-state")};
}

void complete(Problem& p) {
    p.setDefault("batch", 1);
    p.setDefault("seqLen", 256);
    p.setDefault("heads", 1);
    p.setDefault("groups", 1);
    p.setDefault("headDim", 64);
    p.setDefault("stateDim", 64);
    p.setDefault("chunk", static_cast<double>(cpu::SsdShape().chunk));
    p.setDefault("begins", 0);
    p.numbers["initialBatch"] = p.flag("begins") ? p.real("batch") : 0;
    cpu::checkShape(ssdShape(p));
}

/// If caches hold a head's state and a chunk: each tensor once, decays written and read; by chunks X and B once more,
/// and a state a chunk, which is written, read and written again to pass it on, and read.
gpu::TensorTraffic bytesOf(cpu::SsdRung rung, const Problem& problem, const std::vector<TensorSpec>& specs) {
    gpu::TensorTraffic t = workbench::compulsoryTraffic(specs, problem);
    const cpu::SsdShape s = ssdShape(problem);
    const double decays = 4 * static_cast<double>(s.allHeads() * s.length);
    t["decays"] = {decays, decays};
    if (rung == cpu::SsdRung::Chunked) {
        const double states = 4 * static_cast<double>(s.allHeads() * cpu::ceilDiv(s.length, s.chunk)) *
                              static_cast<double>(s.headDim * s.stateDim);
        t["X"].read *= 2;
        t["B"].read *= 2;
        t["states"] = {2 * states, 2 * states};
    }
    return t;
}

std::vector<TensorSpec> tensors() {
    using Role = TensorSpec::Role;
    const std::vector<std::string> rows{"batch", "seqLen", "heads", "headDim"},
        shared{"batch", "seqLen", "groups", "stateDim"};
    std::vector<TensorSpec> all{{"X", Role::Input, rows, 0, "", "Values [batch, length, heads, P]"},
                                {"A",
                                 Role::Input,
                                 {"batch", "seqLen", "heads"},
                                 8,
                                 "decay",
                                 "Logarithms of the decays [batch, length, heads]: 0 keeps the state, -inf forgets it"},
                                {"B", Role::Input, shared, 5, "B and C",
                                 "What a step writes with [batch, length, groups, N], or without groups"},
                                {"C", Role::Input, shared, 5, "B and C", "What a step reads with, as B"},
                                {"initial-state",
                                 Role::Input,
                                 {"initialBatch", "heads", "headDim", "stateDim"},
                                 7,
                                 "state",
                                 "The state before the first step [batch, heads, P, N]",
                                 false},
                                {"Y", Role::Output, rows, 3, "", "Where Y goes"},
                                {"last-state",
                                 Role::Statistic,
                                 {"batch", "heads", "headDim", "stateDim"},
                                 7,
                                 "state",
                                 "Where the state after the last step goes (f32)",
                                 false},
                                {"decays", Role::Between, {}, 8, "decay"},
                                {"states", Role::Between, {}, 6}};
    all[1].fixed = number::Format::F32; // 16 bits would be too few for what is added up
    return all;
}

Implementation onCpu(const cpu::RungInfo<cpu::SsdRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   ssdColour(rung.name));
    i.chosen = rung.id != cpu::SsdRung::Reference;
    i.held = rung.id == cpu::SsdRung::Chunked ? "states of a few chunks" : "decays";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::extraBytesAtMost(id, ssdShape(p), threads);
    };
    if (rung.id != cpu::SsdRung::Reference)
        i.bytes = [id = rung.id](const Problem& p) { return bytesOf(id, p, tensors()); };
    i.flops = [id = rung.id](const Problem& p) { return cpu::flopsOf(id, ssdShape(p)); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::ssd(id, ssdShape(p), tensorsOf(p, t), how).extraBytes;
    };
    return i;
}

Parameter chunkParameter() {
    return Parameter::integer("chunk", "Chunk", static_cast<double>(cpu::SsdShape().chunk), 1, 1 << 14,
                              "Q, the steps of a chunk: pairs of steps within, a state from one to the next.");
}

std::vector<Knob> knobs(Page page) {
    const bool race = page == Page::Race;
    constexpr double most = static_cast<double>(cpu::largestSsdDim);
    return {lengthKnob(page),
            dimension(
                "heads", "heads", "heads",
                Parameter::integer("heads", "Heads", race ? 8 : 2, 1, 256, "Each with a state and decays of its own."),
                {1, 2, 4, 8, 16}),
            dimension("headDim", "P", "head dimension",
                      Parameter::integer("headDim", "Head dimension", 64, 1, most, "P, numbers of a head's X and Y."),
                      {16, 32, 64, 128}),
            dimension("stateDim", "N", "state dimension",
                      Parameter::integer("stateDim", "State dimension", race ? 128 : 64, 1, most,
                                         "N, numbers of B and C: a head's state is P × N."),
                      {16, 32, 64, 128, 256}),
            dimension("chunk", "Q", "steps of a chunk", chunkParameter(), {16, 32, 64, 128, 256, 512}),
            dimension("groups", "groups", "groups of B and C",
                      Parameter::integer("groups", "Groups", 1, 1, 256, "Sets of B and C: a divisor of the heads."),
                      {1, 2, 4, 8}),
            batchKnob()};
}

} // namespace

int ssdColour(std::string_view rung) {
    return rung == "reference" ? 4 : rung == "recurrent" ? 5 : rung == "quadratic" ? 10 : rung == "chunked" ? 6 : 8;
}

cpu::SsdShape ssdShape(const Problem& p) {
    cpu::SsdShape s;
    s.batch = p["batch"];
    s.length = p["seqLen"];
    s.heads = p["heads"];
    s.groups = p["groups"];
    s.headDim = p["headDim"];
    s.stateDim = p["stateDim"];
    s.chunk = p["chunk"];
    return s;
}

Operator ssdOperator() {
    Operator op;
    op.id = "ssd";
    op.lab = "State space models";
    op.title = "SSD";
    op.page = "SSD";
    op.formula = "h_t = e^a_t · h_(t-1) + b_t x_tᵀ, y_t = h_tᵀ c_t; Y = (L ∘ C Bᵀ) X";
    op.flopsText = "4·N·P a step and head: what the state alone costs";
    op.questions = {
        {Page::Race, "Is Mamba-2's recurrence faster step by step, as a masked matrix, or as both, chunk by chunk?"},
        {Page::Accuracy, "Three orders of one sum: how far do roundings take them apart?"}};
    op.abouts = {
        {Page::Race,
         "**State space duality** (Dao, Gu 2024): with one decay a step and head, the recurrence h = e^a h + b xᵀ, y = "
         "hᵀc is the matrix product Y = (L ∘ C Bᵀ) X with L_ij = e^(a_(j+1) + … + a_i) below the diagonal, attention "
         "without softmax under a mask of decays. `recurrent` keeps a state of P × N numbers a head, `quadratic` goes "
         "through all pairs of steps, `chunked` does the second within chunks of Q steps and the first between them. "
         "Heads of a group share B and C. With a constant decay this is RetNet's retention. Decays are multiplied up, "
         "never taken as differences of running sums. **FLOPs**: " +
             op.flopsText +
             "; `chunked` does 2Q(N + P) + 4NP + 2NP/Q. **% of f32 peak**: against this machine's own fused "
             "multiply-add rate."}};
    op.knobs = knobs;
    op.complete = complete;
    op.tensors = tensors();
    op.inputKinds = ssdInputKinds();
    op.fill = fillSsd;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::ssd(cpu::SsdRung::Reference, ssdShape(p), tensorsOf(p, t), how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::flopsOf(cpu::SsdRung::Recurrent, ssdShape(p)); };
    op.inWords = [](const Problem& p) {
        return fmt::format("T = {} with {} head{} of P = {}, N = {}{}, chunks of {}", p["seqLen"], p["heads"],
                           p["heads"] == 1 ? "" : "s", p["headDim"], p["stateDim"],
                           p["groups"] == 1 ? "" : fmt::format(", {} groups", p["groups"]), p["chunk"]);
    };
    op.options = {chunkParameter()};
    op.lower = "seqLen, heads, headDim, stateDim or batch";
    for (const auto& rung : cpu::ssdRungs())
        op.ladder.push_back(onCpu(rung));
    for (Implementation& rung : ssdGpuRungs())
        op.ladder.push_back(std::move(rung));
    op.baseline = "quadratic";
    op.frugal = "recurrent";
    op.arrangement = ssdArrangement();
    return op;
}

} // namespace warplight::labs::ssm
