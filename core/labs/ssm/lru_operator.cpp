// SPDX-License-Identifier: GPL-3.0-or-later
// LRU, as an operator.
#include "core/cpu/ssm/lru.h"
#include "core/error.h"
#include "core/labs/ssm/recurrence.h"
#include "core/labs/ssm/recurrence_operators.h"
#include "core/tensor/random.h"

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using workbench::Implementation;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using Role = workbench::TensorSpec::Role;

const float* at(const Tensors& t, const char* name) { return t.at(name).values.data(); }

cpu::LruShape lruShape(const Problem& p) { return {p["batch"], p["seqLen"], p["channels"]}; }

} // namespace

Operator lruOperator() {
    Operator op = recurrence("lru", "LRU", "x_t = λ x_(t-1) + γ u_t, λ = e^(-e^ν + i e^θ), γ = √(1 - |λ|²)",
                             "10 a step and channel: a complex product, one with a number, a sum");
    op.questions = {{Page::Accuracy, "How far does a rotation that is repeated a thousand times go astray?"}};
    op.knobs = channelKnobs;
    op.complete = [](Problem& p) {
        setChannels(p);
        p.setDefault("complex", 2);
        if (p["complex"] != 2)
            throw InputError(
                fmt::format("--u: a last dimension of {}, expected 2, the parts of a complex number", p["complex"]));
        cpu::checkShape(lruShape(p));
    };
    const std::vector<std::string> rows{"batch", "seqLen", "channels", "complex"};
    op.tensors = {
        {"U", Role::Input, rows, 0, "", "What comes in [batch, length, channels, 2], real and imaginary parts"},
        {"nu", Role::Input, {"channels"}, 8, "λ", "ν: |λ| is e^(-e^ν)"},
        {"theta", Role::Input, {"channels"}, 8, "λ", "θ: the angle of λ is e^θ"},
        {"states", Role::Output, rows, 6, "", "Where the states x_t go [batch, length, channels, 2]"},
        {"lambda", Role::Between, {}, 8, "λ"}};
    op.inputKinds = {{"gaussian", "Gaussian", "independent normal numbers; |λ|² uniform in 0.9² … 0.999²"},
                     {"slow", "Slow", "|λ| within 1e-5 of 1: a memory of 100,000 steps"},
                     {"large", "Large", "u times 1e10"}};
    op.fill = [](const Problem&, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
        tensor::fillGaussian(t.at("U").values, seed, 0, kind == "large" ? 1e10f : 1, cancel);
        std::vector<float>&nu = t.at("nu").values, &theta = t.at("theta").values;
        tensor::fillUniform(nu, seed, 1, 0.9f * 0.9f, 0.999f * 0.999f, cancel);
        for (float& x : nu) // of |λ|²
            x = kind == "slow" ? std::log(1e-5f) : std::log(-std::log(x) / 2);
        tensor::fillUniform(theta, seed, 2, 1e-3f, 6.28f, cancel);
        for (float& x : theta) // of the angle
            x = std::log(x);
    };
    op.inWords = channelsInWords;
    op.lower = "seqLen, channels or batch";
    addCpuRungs(op, lruShape, [](cpu::RecurrenceRung rung, const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::lru(rung, lruShape(p), {at(t, "U"), at(t, "nu"), at(t, "theta"), t.at("states").values.data()},
                        how);
    });
    Implementation gpu = recurrentOnGpu("A thread a channel, its state in registers");
    gpu.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(channelShape(p)); }); };
    gpu.heldBytes = [](const Problem& p, int) { return gpu::lruBytes(channelShape(p)); };
    gpu.bytes = [](const Problem& p) { return gpu::lruTraffic(channelShape(p)); };
    gpu.onGpu = [](const Problem& p, Tensors& t, gpu::KernelLibrary& library, const gpu::LaunchOptions& how) {
        std::vector<float> lambda(static_cast<size_t>(4 * p["channels"])); // worked out in double precision
        for (size_t c = 0; c < lambda.size() / 4; ++c) {
            const cpu::LruCoefficients exact = cpu::lruCoefficients(static_cast<double>(t.at("nu").values[c]),
                                                                    static_cast<double>(t.at("theta").values[c]));
            lambda[4 * c] = static_cast<float>(exact.re);
            lambda[4 * c + 1] = static_cast<float>(exact.im);
            lambda[4 * c + 2] = static_cast<float>(exact.gamma);
        }
        gpu::RecurrenceRun run = gpu::lru(library, channelShape(p), at(t, "U"), lambda.data(), how);
        t.at("states").values = std::move(run.out);
        return gpu::Launched(std::move(run));
    };
    op.ladder.push_back(std::move(gpu));
    return op;
}

} // namespace warplight::labs::ssm
