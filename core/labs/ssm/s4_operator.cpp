// SPDX-License-Identifier: GPL-3.0-or-later
// S4 and S4D of many channels, as an operator.
#include "core/labs/ssm/s4_operator.h"

#include "core/algebra/fourier.h"
#include "core/ssm/s4_rungs.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"
#include "gpu/ops/s4.h"

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
using warplight::ssm::S4Kind;
using warplight::ssm::S4Rung;
using warplight::ssm::S4Shape;
using warplight::ssm::S4Tensors;
using workbench::dimension;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

constexpr float leastStep = 1e-3f, mostStep = 0.1f; ///< Δ that layers begin with

S4Shape shapeOf(const Problem& p) { return {p["channels"], p["seqLen"], p["state"], static_cast<S4Kind>(p["kind"])}; }

S4Tensors tensorsOf(Tensors& t) {
    const auto of = [&](const char* name) { return t.at(name).values.data(); };
    return {of("U"), of("delta"), of("C"), of("Y")};
}

int colourOf(std::string_view rung) {
    return rung == "reference" ? 4 : rung == "recurrent" ? 5 : rung == "direct" ? 10 : rung == "cufft" ? 8 : 6;
}

void complete(Problem& p) {
    p.setDefault("channels", 1);
    p.setDefault("state", 64);
    p.setDefault("kind", static_cast<double>(S4Kind::DiagonalLin));
    checkShape(shapeOf(p));
}

void fill(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    std::vector<float>& u = t.at("U").values;
    tensor::fillGaussian(u, seed, 0, kind == "large" ? 1e4f : 1.0f, cancel);
    if (kind == "constant")
        std::fill(u.begin(), u.end(), 1.0f);
    tensor::fillUniform(t.at("delta").values, seed, 1, std::log(leastStep), std::log(mostStep), cancel);
    for (float& x : t.at("delta").values)
        x = std::exp(x);
    tensor::fillGaussian(t.at("C").values, seed, 2, 1 / std::sqrt(static_cast<float>(p["state"])), cancel);
}

std::vector<TensorSpec> tensors() {
    using Role = TensorSpec::Role;
    return {{"U", Role::Input, {"channels", "seqLen"}, 0, "", "Signals"},
            {"delta", Role::Input, {"channels"}, 5, "", "Step of each channel, above 0"},
            {"C",
             Role::Input,
             {"channels", "state"},
             2,
             "output weights",
             "Output weights: of LegS state numbers, of the diagonals state / 2 complex ones, real and imaginary part "
             "side by side"},
            {"Y", Role::Output, {"channels", "seqLen"}, 3, "", "Where Y goes"},
            {"K", Role::Between, {}, 1, "kernels"},
            {"factors", Role::Between, {}, 8, "Ā and C B̄"}};
}

/// Each tensor once; with a kernel that is written and read, Direct a copy of U between zeros, Fourier what FFTs take
/// in and give three times each.
gpu::TensorTraffic bytesOf(S4Rung rung, const Problem& p) {
    gpu::TensorTraffic t = workbench::compulsoryTraffic(tensors(), p);
    const S4Shape s = shapeOf(p);
    const double row = 4 * static_cast<double>(s.channels) * static_cast<double>(s.length);
    if (rung == S4Rung::Recurrent)
        return t;
    t["K"] = {row, row};
    if (rung == S4Rung::Direct) {
        t["U"].read *= 2;
        t["U"].written += row;
    }
    return t;
}

Implementation onCpu(const cpu::RungInfo<S4Rung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   colourOf(rung.name));
    i.chosen = rung.id != S4Rung::Reference;
    i.held = rung.id == S4Rung::Recurrent ? "states" : "kernels";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) { return extraBytesAtMost(id, shapeOf(p), threads); };
    if (rung.id != S4Rung::Reference)
        i.bytes = [id = rung.id](const Problem& p) { return bytesOf(id, p); };
    i.flops = [id = rung.id](const Problem& p) { return flopsOf(id, shapeOf(p)); };
    if (rung.id == S4Rung::Fourier) // errors of an FFT are those of its largest outputs, wherever they are
        i.roundoff = [](const Problem&) { return 0x1p-20; };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return warplight::ssm::s4(id, shapeOf(p), tensorsOf(t), how).extraBytes;
    };
    return i;
}

gpu::S4Shape gpuShape(const Problem& p) {
    const S4Shape s = shapeOf(p);
    const bool isLegs = s.kind == S4Kind::LegS;
    return {s.channels, s.length, isLegs ? s.state : s.state / 2, isLegs};
}

Implementation onGpu(gpu::S4Rung rung, const char* title, const char* improves) {
    Implementation i = workbench::implementationOf(gpu::name(rung), title, improves, Implementation::Device::Gpu,
                                                   colourOf(gpu::name(rung)));
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); };
    i.heldBytes = [rung](const Problem& p, int) { return gpu::deviceBytes(rung, gpuShape(p)); };
    i.bytes = [rung](const Problem& p) { return gpu::algorithmicTraffic(rung, gpuShape(p)); };
    i.flops = [rung](const Problem& p) {
        return flopsOf(rung == gpu::S4Rung::Direct  ? S4Rung::Direct
                       : rung == gpu::S4Rung::Cufft ? S4Rung::Fourier
                                                    : S4Rung::Recurrent,
                       shapeOf(p));
    };
    if (rung == gpu::S4Rung::Cufft) {
        i.library = i.transforms = true;
        i.bytes = {};
        i.roundoff = [](const Problem&) { return 0x1p-20; };
    }
    i.onGpu = [rung](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                     const gpu::LaunchOptions& how) -> gpu::Launched {
        const std::vector<float> factors = gpuFactors(shapeOf(p), tensorsOf(t));
        gpu::S4Run run = gpu::s4(library, rung, gpuShape(p), factors.data(), t.at("U").values.data(), how);
        t.at("Y").values = std::move(run.y);
        return gpu::Launched(std::move(run));
    };
    return i;
}

Parameter kindParameter() {
    return Parameter::choice("kind", "Layer", "s4d-lin", workbench::optionsOf(warplight::ssm::s4Kinds()),
                             "What A is: LegS by the bilinear rule, diagonals by zero-order hold.");
}

std::vector<Knob> knobs(Page page) {
    const bool race = page == Page::Race;
    return {
        dimension("seqLen", "L", "length",
                  Parameter::integer("seqLen", "Length", race ? 4096 : 512, 1, race ? 1 << 20 : 8192, "L, samples."),
                  race ? std::vector<int64_t>{256, 1024, 4096, 16384} : std::vector<int64_t>{64, 256, 1024}, 256),
        dimension(
            "channels", "channels", "channels",
            Parameter::integer("channels", "Channels", race ? 64 : 8, 1, 4096, "Each with a step and C of its own."),
            {1, 4, 16, 64, 256}),
        dimension("state", "N", "state size",
                  Parameter::integer("state", "State size", 64, 2, warplight::ssm::largestS4State,
                                     "N, even: diagonals have N/2 complex numbers."),
                  {4, 16, 64, 256}),
        workbench::option(kindParameter())};
}

} // namespace

Operator s4Operator() {
    Operator op;
    op.id = "s4";
    op.lab = "State space models";
    op.title = op.page = "S4";
    op.formula = "x = Ā x + B̄ u, y = C x; y = K * u with K_l = C Ā^l B̄";
    op.flopsText = "11 a step and pair of diagonal states, 12 a step and state of LegS";
    op.questions = {{Page::Race,
                     "The same output by recurrence, by convolution, by FFT: which is the fastest, and from "
                     "which length on?"}};
    op.abouts = {
        {Page::Race,
         "A layer of **S4** (Gu et al. 2022) is linear and the same at all times, so that its recurrence is a "
         "convolution with a kernel as long as the signal. `recurrent` keeps N numbers a channel: channels lie in the "
         "lanes of a vector, and LegS takes O(N) a step by forward substitution. `direct` makes K in double precision "
         "and multiplies L²/2 pairs, `fft` multiplies spectra of 2L numbers, so that nothing comes around. S4 trains "
         "as "
         "a convolution since GPUs want steps that do not wait for one another; a CPU core loses nothing by waiting "
         "where there are channels enough for its lanes. **FLOPs**: " +
             op.flopsText +
             "; of `direct` L(L + 1) a channel, of `fft` 15 P log₂ P for P ≥ 2L, besides those that make K. "
             "**% of f32 peak**: against this machine's own fused multiply-add rate."}};
    op.knobs = knobs;
    op.complete = complete;
    op.tensors = tensors();
    op.inputKinds = {{"gaussian", "Gaussian", "independent normal numbers; Δ log-uniform in 0.001 to 0.1"},
                     {"constant", "Constant", "u = 1: slow states fill up"},
                     {"large", "Large", "normal numbers times 10,000"}};
    op.fill = fill;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        warplight::ssm::s4(S4Rung::Reference, shapeOf(p), tensorsOf(t), how);
    };
    op.usefulFlops = [](const Problem& p) { return flopsOf(S4Rung::Recurrent, shapeOf(p)); };
    op.inWords = [](const Problem& p) {
        return fmt::format("L = {} of {} channel{}, N = {}, {}", p["seqLen"], p["channels"],
                           p["channels"] == 1 ? "" : "s", p["state"],
                           warplight::ssm::s4Kinds()[static_cast<size_t>(p["kind"])].name);
    };
    op.options = {kindParameter()};
    op.lower = "seqLen, channels or state";
    for (const auto& rung : warplight::ssm::s4Rungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu(gpu::S4Rung::Recurrent, "a warp a channel, states in registers",
                              "what states add to 32 outputs meets in shared memory"));
    op.ladder.push_back(onGpu(gpu::S4Rung::Direct, "the kernel, then a convolution term by term",
                              "all outputs at once: 512 numbers a block, pieces of K in shared memory"));
    op.ladder.push_back(onGpu(gpu::S4Rung::Cufft, "By cuFFT", "L log L: three transforms, a product a frequency"));
    op.baseline = "direct";
    op.frugal = "recurrent";
    return op;
}

} // namespace warplight::labs::ssm
