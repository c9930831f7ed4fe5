// SPDX-License-Identifier: GPL-3.0-or-later
// RWKV-4 and RWKV-6, as operators.
#include "core/cpu/ssm/rwkv.h"
#include "core/labs/ssm/recurrence.h"
#include "core/labs/ssm/recurrence_operators.h"
#include "core/labs/ssm/sequence_knobs.h"
#include "core/tensor/random.h"
#include "core/workbench/arrange.h"
#include "core/workbench/knobs.h"

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <string>
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
using Role = workbench::TensorSpec::Role;

constexpr int64_t resetEvery = 16; ///< steps, of the input "resets"

const float* at(const Tensors& t, const char* name) { return t.at(name).values.data(); }

cpu::Rwkv4Shape rwkv4Shape(const Problem& p) { return {p["batch"], p["seqLen"], p["channels"]}; }
cpu::Rwkv6Shape rwkv6Shape(const Problem& p) {
    return {p["batch"], p["seqLen"], p["heads"], p["keyDim"], p["valueDim"]};
}
gpu::Rwkv6Shape gpuRwkv6Shape(const Problem& p) {
    return {p["batch"], p["seqLen"], p["heads"], p["keyDim"], p["valueDim"]};
}

/// A user's tensors of RWKV-6: one head may come without an axis of its own, [length, K].
workbench::Arrangement rwkv6Arrangement(const Operator& op) {
    return {{}, [op](Tensors& given, const std::map<std::string, std::string>& origin, const std::string& layout) {
                const bool oneHead = given.at("R").shape.size() == 2;
                for (auto& [name, t] : given)
                    if (oneHead && t.shape.size() == (name == "u" ? 1 : 2))
                        t.shape.insert(t.shape.end() - 1, 1);
                workbench::Arranged arranged = workbench::arrange(op, given, origin, layout);
                if (oneHead)
                    arranged.out = [](const std::string& name, tensor::Tensor made) {
                        if (name == "O")
                            made.shape.erase(made.shape.begin() + 2);
                        made.shape.erase(made.shape.begin(), made.shape.end() - 2);
                        return made;
                    };
                return arranged;
            }};
}

} // namespace

Operator rwkv4Operator() {
    Operator op =
        recurrence("rwkv4", "RWKV-4", "o_t = (p + e^(u + k) v) / (q + e^(u + k)), p = e^w p + e^k v, q = e^w q + e^k",
                   "18 a step and channel, an exponential counted as one");
    op.questions = {{Page::Accuracy, "What does a running maximum leave of weights between e^-100 and e^100?"}};
    op.knobs = channelKnobs;
    op.complete = [](Problem& p) {
        setChannels(p);
        cpu::checkShape(rwkv4Shape(p));
    };
    const std::vector<std::string> rows{"batch", "seqLen", "channels"};
    op.tensors = {{"K", Role::Input, rows, 5, "", "Logarithms of weights [batch, length, channels]"},
                  {"V", Role::Input, rows, 2, "", "Values, as K"},
                  {"w", Role::Input, {"channels"}, 8, "decay", "Logarithm of the decay a step, below 0"},
                  {"u", Role::Input, {"channels"}, 9, "bonus", "What a step's own key has more"},
                  {"O", Role::Output, rows, 3, "", "Where O goes"}};
    op.inputKinds = {{"gaussian", "Gaussian", "independent normal numbers, w between -6 and 0"},
                     {"large", "Large", "keys times 100: e^k is infinite or nothing"}};
    op.fill = [](const Problem&, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
        tensor::fillGaussian(t.at("K").values, seed, 0, kind == "large" ? 100.0f : 1, cancel);
        tensor::fillGaussian(t.at("V").values, seed, 1, 1, cancel);
        tensor::fillUniform(t.at("w").values, seed, 2, -6, 0, cancel);
        tensor::fillGaussian(t.at("u").values, seed, 3, 1, cancel);
    };
    op.inWords = channelsInWords;
    op.lower = "seqLen, channels or batch";
    addCpuRungs(op, rwkv4Shape, [](cpu::RecurrenceRung rung, const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::rwkv4(rung, rwkv4Shape(p),
                          {at(t, "K"), at(t, "V"), at(t, "w"), at(t, "u"), t.at("O").values.data()}, how);
    });
    Implementation gpu = recurrentOnGpu("A thread a channel, its sums in registers");
    gpu.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(channelShape(p)); }); };
    gpu.heldBytes = [](const Problem& p, int) { return gpu::rwkv4Bytes(channelShape(p)); };
    gpu.bytes = [](const Problem& p) { return gpu::rwkv4Traffic(channelShape(p)); };
    gpu.onGpu = [](const Problem& p, Tensors& t, gpu::KernelLibrary& library, const gpu::LaunchOptions& how) {
        gpu::RecurrenceRun run =
            gpu::rwkv4(library, channelShape(p), at(t, "K"), at(t, "V"), at(t, "w"), at(t, "u"), how);
        t.at("O").values = std::move(run.out);
        return gpu::Launched(std::move(run));
    };
    op.ladder.push_back(std::move(gpu));
    return op;
}

Operator rwkv6Operator() {
    Operator op =
        recurrence("rwkv6", "RWKV-6", "o_t = (S + diag(u) k vᵀ)ᵀ r, S = diag(e^w_t) S + k vᵀ", "7·K·V a step and head");
    op.knobs = [](Page page) {
        const bool race = page == Page::Race;
        return std::vector<Knob>{
            lengthKnob(page),
            dimension(
                "heads", "heads", "heads",
                Parameter::integer("heads", "Heads", race ? 16 : 2, 1, 256, "Each with a state of K × V numbers."),
                {1, 2, 4, 8, 16, 32}),
            dimension("keyDim", "K", "numbers of a key",
                      Parameter::integer("keyDim", "Key dimension", 64, 1, cpu::largestRwkvDim, "K, rows of a state."),
                      {16, 32, 64, 128}),
            dimension(
                "valueDim", "V", "numbers of a value",
                Parameter::integer("valueDim", "Value dimension", 64, 1, cpu::largestRwkvDim, "V, columns of a state."),
                {16, 32, 64, 128}),
            batchKnob()};
    };
    op.complete = [](Problem& p) {
        p.setDefault("batch", 1);
        p.setDefault("seqLen", 256);
        p.setDefault("heads", 1);
        p.setDefault("keyDim", 64);
        p.setDefault("valueDim", p.real("keyDim"));
        cpu::checkShape(rwkv6Shape(p));
    };
    const std::vector<std::string> keys{"batch", "seqLen", "heads", "keyDim"},
        values{"batch", "seqLen", "heads", "valueDim"};
    op.tensors = {{"R", Role::Input, keys, 0, "", "What reads [batch, length, heads, K]"},
                  {"K", Role::Input, keys, 5, "", "What writes, as R"},
                  {"V", Role::Input, values, 2, "", "Values [batch, length, heads, V]"},
                  {"w", Role::Input, keys, 8, "decay", "Logarithms of the decays, below 0, as R"},
                  {"u", Role::Input, {"heads", "keyDim"}, 9, "bonus", "What a step's own key counts [heads, K]"},
                  {"O", Role::Output, values, 3, "", "Where O goes"},
                  {"last-state",
                   Role::Statistic,
                   {"batch", "heads", "keyDim", "valueDim"},
                   7,
                   "state",
                   "Where the state after the last step goes (f32)",
                   false}};
    op.inputKinds = {{"gaussian", "Gaussian", "independent normal numbers, decays between 0.7 and 1"},
                     {"keeps", "Keeps", "decays of exactly 1: nothing is forgotten"},
                     {"resets", "Resets", "decays of exactly 0 at every 16th step"}};
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        uint64_t stream = 0;
        for (const char* name : {"R", "K", "V", "u"})
            tensor::fillGaussian(t.at(name).values, seed, stream++, 1, cancel);
        std::vector<float>& w = t.at("w").values;
        tensor::fillUniform(w, seed, stream, std::log(0.7f), 0, cancel);
        for (size_t i = 0; i < w.size() && kind != "gaussian"; ++i) {
            const int64_t step = static_cast<int64_t>(i) / (p["heads"] * p["keyDim"]);
            w[i] = kind == "keeps"                       ? 0
                   : step % resetEvery == resetEvery - 1 ? -std::numeric_limits<float>::infinity()
                                                         : w[i];
        }
    };
    op.inWords = [](const Problem& p) {
        return fmt::format("T = {} with {} head{} of {} × {}", p["seqLen"], p["heads"], p["heads"] == 1 ? "" : "s",
                           p["keyDim"], p["valueDim"]);
    };
    op.lower = "seqLen, heads, keyDim, valueDim or batch";
    op.arrangement = rwkv6Arrangement(op);
    addCpuRungs(op, rwkv6Shape, [](cpu::RecurrenceRung rung, const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::rwkv6(rung, rwkv6Shape(p),
                          {at(t, "R"), at(t, "K"), at(t, "V"), at(t, "w"), at(t, "u"), t.at("O").values.data(),
                           t.at("last-state").values.data()},
                          how);
    });
    Implementation gpu = recurrentOnGpu("Columns of states in registers, step by step");
    gpu.whyNot = [](const Problem& p) {
        const std::string why = workbench::refusalOf([&] { gpu::checkShape(gpuRwkv6Shape(p)); });
        return why.empty() ? gpu::whyNot(gpuRwkv6Shape(p)) : why;
    };
    gpu.heldBytes = [](const Problem& p, int) { return gpu::rwkv6Bytes(gpuRwkv6Shape(p)); };
    gpu.bytes = [](const Problem& p) { return gpu::rwkv6Traffic(gpuRwkv6Shape(p)); };
    gpu.onGpu = [](const Problem& p, Tensors& t, gpu::KernelLibrary& library, const gpu::LaunchOptions& how) {
        gpu::RecurrenceRun run =
            gpu::rwkv6(library, gpuRwkv6Shape(p), {at(t, "R"), at(t, "K"), at(t, "V"), at(t, "w"), at(t, "u")}, how);
        t.at("O").values = std::move(run.out);
        t.at("last-state").values = std::move(run.last);
        return gpu::Launched(std::move(run));
    };
    op.ladder.push_back(std::move(gpu));
    return op;
}

} // namespace warplight::labs::ssm
