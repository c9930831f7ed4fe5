// SPDX-License-Identifier: GPL-3.0-or-later
// HiPPO memories of many channels, as an operator.
#include "core/labs/ssm/hippo_operator.h"

#include "core/ssm/hippo_rungs.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"
#include "gpu/ops/hippo.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using lab::Parameter;
using warplight::ssm::HippoRung;
using warplight::ssm::HippoShape;
using warplight::ssm::HippoTensors;
using warplight::ssm::Measure;
using warplight::ssm::Rule;
using workbench::dimension;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

HippoShape shapeOf(const Problem& p) {
    HippoShape s{p["channels"], p["seqLen"], p["every"], {}};
    const double theta = p.real("theta");
    s.memory = {static_cast<Measure>(p["measure"]), p["state"], static_cast<Rule>(p["rule"]),
                theta != 0 ? theta : static_cast<double>(s.length), 1};
    return s;
}

HippoTensors tensorsOf(Tensors& t) { return {t.at("U").values.data(), t.at("coefficients").values.data()}; }

int colourOf(std::string_view rung) { return rung == "reference" ? 4 : rung == "dense" ? 10 : 0; }

void complete(Problem& p) {
    p.setDefault("channels", 1);
    p.setDefault("state", 64);
    p.setDefault("measure", static_cast<double>(Measure::LegS));
    p.setDefault("rule", static_cast<double>(Rule::Bilinear));
    p.setDefault("theta", 0);
    p.setDefault("every", 0);
    checkShape(shapeOf(p));
    p.set("kept", kept(shapeOf(p)));
}

void fill(const Problem&, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    std::vector<float>& u = t.at("U").values;
    tensor::fillGaussian(u, seed, 0, kind == "large" ? 1e10f : 1.0f, cancel);
    if (kind == "constant")
        std::fill(u.begin(), u.end(), 1.0f);
}

std::vector<TensorSpec> tensors() {
    using Role = TensorSpec::Role;
    return {{"U", Role::Input, {"channels", "seqLen"}, 0, "", "Signals [channels, length]"},
            {"coefficients",
             Role::Output,
             {"channels", "kept", "state"},
             6,
             "",
             "Where the coefficients go [channels, kept, n]"},
            {"matrices", Role::Between, {}, 8, "Ā and B̄"}};
}

/// Of `linear`, whose two sums along the state cancel to what a row of Ā says at once: measured for n to 512 and
/// lengths to 4,000, by forward Euler to n = 32: beyond, it grows without bound before it shrinks.
double roundoffOf(const Problem& p) {
    const HippoShape s = shapeOf(p);
    return (16 + static_cast<double>(s.memory.n) + std::sqrt(static_cast<double>(s.length))) * 0x1p-24;
}

Implementation onCpu(const cpu::RungInfo<HippoRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    i.chosen = rung.id != HippoRung::Reference;
    i.held = rung.id == HippoRung::Dense ? "matrices and states" : "states";
    i.whyNot = [id = rung.id](const Problem& p) { return whyNot(id, shapeOf(p)); };
    i.heldBytes = [id = rung.id](const Problem& p, int threads) { return extraBytesAtMost(id, shapeOf(p), threads); };
    if (rung.id == HippoRung::Linear) {
        i.bytes = [](const Problem& p) { return workbench::compulsoryTraffic(tensors(), p); };
        i.roundoff = roundoffOf;
    }
    i.flops = [id = rung.id](const Problem& p) { return flopsOf(id, shapeOf(p)); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return warplight::ssm::hippo(id, shapeOf(p), tensorsOf(t), how).extraBytes;
    };
    return i;
}

gpu::HippoShape gpuShape(const Problem& p) { return {p["channels"], p["seqLen"], p["state"], p["every"], p["kept"]}; }

Implementation onGpu(gpu::HippoRung rung, const char* title, const char* improves) {
    Implementation i = workbench::implementationOf(gpu::name(rung), title, improves, Implementation::Device::Gpu,
                                                   colourOf(gpu::name(rung)));
    const HippoRung here = rung == gpu::HippoRung::Dense ? HippoRung::Dense : HippoRung::Linear;
    i.whyNot = [rung, here](const Problem& p) -> std::string {
        if (std::string why = whyNot(here, shapeOf(p)); !why.empty())
            return why;
        return workbench::refusalOf([&] { gpu::checkShape(rung, gpuShape(p), matricesOf(shapeOf(p))); });
    };
    i.heldBytes = [rung](const Problem& p, int) { return gpu::deviceBytes(rung, gpuShape(p), matricesOf(shapeOf(p))); };
    i.sharedBytes = [rung](const Problem& p) { return gpu::sharedBytes(rung, gpuShape(p)); };
    i.bytes = [rung](const Problem& p) { return gpu::algorithmicTraffic(rung, gpuShape(p)); };
    i.flops = [here](const Problem& p) { return flopsOf(here, shapeOf(p)); };
    if (rung == gpu::HippoRung::Linear)
        i.roundoff = roundoffOf;
    i.onGpu = [rung](const Problem& p, Tensors& t, gpu::KernelLibrary& library, const gpu::LaunchOptions& how) {
        const HippoShape s = shapeOf(p);
        const float* u = t.at("U").values.data();
        const float ahead = s.memory.rule == Rule::ForwardEuler ? 1.0f : s.memory.rule == Rule::Bilinear ? 0.5f : 0.0f;
        gpu::HippoRun run =
            rung == gpu::HippoRung::Dense
                ? gpu::hippoDense(library, gpuShape(p), hippoMatrices(s, {how.threads, how.cancel}), u, how)
                : gpu::hippoLinear(library, gpuShape(p), ahead, 1 - ahead, u, how);
        t.at("coefficients").values = std::move(run.coefficients);
        return gpu::Launched(std::move(run));
    };
    return i;
}

std::vector<Parameter> options() {
    return {
        Parameter::choice("measure", "Measure", "legs", workbench::optionsOf(warplight::ssm::measures()),
                          "Which part of the past, and by which functions."),
        Parameter::choice("rule", "Rule", "bilinear", workbench::optionsOf(warplight::ssm::rules()),
                          "How the equation becomes a step."),
        Parameter::real("theta", "Window", 0, 0, 1e9,
                        "In samples, of LagT the time in which it fades; 0: as long as the signal. LegS has none.")};
}

Parameter stateParameter() {
    return Parameter::integer("state", "State size", 64, 1, warplight::ssm::largestHippo,
                              "n, coefficients of a channel; even for FouT.");
}

std::vector<Knob> knobs(Page page) {
    const bool race = page == Page::Race;
    std::vector<Knob> all{
        dimension("seqLen", "L", "length",
                  Parameter::integer("seqLen", "Length", race ? 1024 : 256, 1, race ? 1 << 20 : 8192, "L, samples."),
                  race ? std::vector<int64_t>{256, 1024, 4096} : std::vector<int64_t>{64, 256, 1024}, 256),
        dimension("channels", "channels", "channels",
                  Parameter::integer("channels", "Channels", race ? 64 : 8, 1, 4096, "Signals, each with a memory."),
                  {1, 4, 16, 64, 256}),
        dimension("state", "n", "state size", stateParameter(), {4, 16, 64, 256})};
    for (Parameter& option : options())
        all.push_back(workbench::option(std::move(option)));
    return all;
}

} // namespace

Operator hippoOperator() {
    Operator op;
    op.id = "hippo-memory";
    op.lab = "State space models";
    op.title = "HiPPO memory";
    op.page = "HiPPO";
    op.formula = "c = Ā c + B̄ u";
    op.flopsText = "2n(n + 1) a step and channel by matrices, 10n by LegS's substitution";
    op.questions = {{Page::Race, "What does a memory cost that looks at its whole past at each step?"}};
    op.abouts = {
        {Page::Race,
         "A **HiPPO** memory (Gu et al. 2020) keeps n coefficients of the past of a signal and takes each sample by "
         "one "
         "linear step. `dense` multiplies by Ā, n² numbers. LegS weighs by 1/t, so its Ā is another one at each step: "
         "`dense` makes them all in double precision, and that alone may take longer than to use them. `linear` needs "
         "none: LegS's A is a diagonal and a running sum, so that a step of Euler's rules or the bilinear one is two "
         "sums along the state. On a CPU channels lie in the lanes of a vector; on a GPU these sums are scans of a "
         "warp. **FLOPs**: " +
             op.flopsText + ". **% of f32 peak**: against this machine's own fused multiply-add rate."}};
    op.knobs = knobs;
    op.complete = complete;
    op.tensors = tensors();
    op.inputKinds = {{"gaussian", "Gaussian", "independent normal numbers"},
                     {"constant", "Constant", "u = 1: LegS keeps it in c₀ alone"},
                     {"large", "Large", "normal numbers times 1e10"}};
    op.fill = fill;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        warplight::ssm::hippo(HippoRung::Reference, shapeOf(p), tensorsOf(t), how);
    };
    op.usefulFlops = [](const Problem& p) { return flopsOf(HippoRung::Reference, shapeOf(p)); };
    op.inWords = [](const Problem& p) {
        const HippoShape s = shapeOf(p);
        return fmt::format("L = {} of {} channel{}, n = {}, {} by {}", s.length, s.channels, s.channels == 1 ? "" : "s",
                           s.memory.n, warplight::ssm::measures()[static_cast<size_t>(s.memory.measure)].name,
                           warplight::ssm::rules()[static_cast<size_t>(s.memory.rule)].name);
    };
    op.options = options();
    op.options.push_back(stateParameter());
    op.options.push_back(Parameter::integer("every", "Every", 0, 0, 1e9,
                                            "Keep the coefficients after every so many steps; 0: the last alone."));
    op.lower = "seqLen, channels or state";
    for (const auto& rung : warplight::ssm::hippoRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu(gpu::HippoRung::Dense, "eight channels a block, states in shared memory",
                              "a number of Ā that is loaded serves eight channels"));
    op.ladder.push_back(onGpu(gpu::HippoRung::Linear, "LegS, a warp a channel, states in registers",
                              "O(n) a step: two scans over the warp, and nothing but U is read"));
    op.baseline = "dense";
    op.frugal = "linear";
    return op;
}

} // namespace warplight::labs::ssm
