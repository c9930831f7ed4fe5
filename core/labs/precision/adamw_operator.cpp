// SPDX-License-Identifier: GPL-3.0-or-later
// A step of AdamW on f32 weights, as an operator.
#include "core/cpu/adamw/adamw.h"
#include "core/labs/precision/training_operators.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"
#include "gpu/ops/adamw.h"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using lab::Parameter;
using number::Format;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

constexpr float weightSize = 0.05f, gradientSize = 1e-3f; ///< about as in a transformer that learns

gpu::AdamwStep stepOf(const Problem& p) {
    gpu::AdamwStep step;
    step.learningRate = p.real("rate");
    step.weightDecay = p.real("decay");
    step.number = p["step"];
    step.gradientFactor = std::ldexp(1.0, -static_cast<int>(p["power"]));
    return step;
}

cpu::AdamwProblem problemOf(const Problem& p, Tensors& t) {
    const auto at = [&](const char* name) { return t.at(name).values.data(); };
    return {p["count"], at("w"),    at("g"),    at("m"),  at("v"),  at("wNew"),
            at("mNew"), at("vNew"), at("copy"), p.format, stepOf(p)};
}

Implementation onCpu(const cpu::RungInfo<cpu::AdamwRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   rung.name == "reference" ? 4
                                                   : rung.name == "plain"   ? 10
                                                                            : 5);
    i.bytes = [](const Problem& p) { // the copy is f32, too
        gpu::TensorTraffic t = gpu::adamwTraffic(Format::F32, p["count"]);
        t["copy"] = {0, 4 * p.real("count")};
        return gpu::withoutEmpty(t);
    };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::adamw(id, problemOf(p, t), how).extraBytes;
    };
    return i;
}

Implementation onGpu(Format format, std::string_view id, const char* title, const char* improves, int colour) {
    Implementation i = workbench::implementationOf(id, title, improves, Implementation::Device::Gpu, colour);
    i.formats = {format};
    i.heldBytes = [format](const Problem& p, int) { return gpu::adamwBytes(format, p["count"]); };
    i.bytes = [format](const Problem& p) { return gpu::adamwTraffic(format, p["count"]); };
    i.onGpu = [format](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                       const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto at = [&](const char* name) { return t.at(name).values.data(); };
        gpu::AdamwRun run = gpu::adamw(library, format, p["count"], at("w"), at("g"), at("m"), at("v"), stepOf(p), how);
        t.at("wNew").values = std::move(run.w);
        t.at("mNew").values = std::move(run.m);
        t.at("vNew").values = std::move(run.v);
        t.at("copy").values = std::move(run.copy);
        return gpu::Launched(std::move(run));
    };
    return i;
}

void fill(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    const float size = kind == "tiny" ? gradientSize * 0x1p-20f : gradientSize;
    tensor::fillGaussian(t.at("w").values, seed, 0, weightSize, cancel);
    tensor::fillGaussian(t.at("g").values, seed, 1, std::ldexp(size, static_cast<int>(p["power"])), cancel);
    if (kind == "first") // moments are 0 before the first step
        return;
    tensor::fillGaussian(t.at("m").values, seed, 2, size / 2, cancel);
    tensor::fillGaussian(t.at("v").values, seed, 3, size, cancel);
    for (float& v : t.at("v").values)
        v *= v;
}

Knob single(const char* symbol, const char* axis, Parameter parameter) {
    Knob knob = workbench::option(std::move(parameter));
    knob.symbol = symbol;
    knob.axis = axis;
    return knob;
}

Parameter stepParameter() { return Parameter::integer("step", "Step", 10, 1, 1e9, "Number of the step, from 1."); }
Parameter powerParameter(int64_t standing) {
    return Parameter::integer("power", "Loss scale 2 to the", standing, -100, 100,
                              "Gradients come with this scale, which is taken off.");
}
Parameter rateParameter() {
    return Parameter::real("rate", "Learning rate", 1e-3, 0, 1, "How far a step goes, about.");
}
Parameter decayParameter() {
    return Parameter::real("decay", "Weight decay", 0.01, 0, 1, "Times the learning rate, of each weight.");
}

std::vector<Knob> knobs(Page page) {
    const bool large = page == Page::Race;
    const double most = large ? 1 << 27 : 1 << 21;
    return {workbench::dimension(
                "count", "n", "parameters",
                Parameter::integer("count", "Parameters", large ? 1 << 20 : 1 << 13, 1, most, "Of the model."),
                Parameter::sweep("counts", "Parameters",
                                 large ? std::vector<int64_t>{1 << 14, 1 << 16, 1 << 18, 1 << 20}
                                       : std::vector<int64_t>{1 << 11, 1 << 13, 1 << 15},
                                 1, most, "Of the model, one a point."),
                1 << 14),
            single("t", "step", stepParameter()), single("p", "power of the loss scale", powerParameter(10)),
            single("lr", "learning rate", rateParameter()), single("λ", "weight decay", decayParameter())};
}

TensorSpec wide(const char* name, TensorSpec::Role role, int colour, const char* doc) {
    TensorSpec spec{name, role, {"count"}, colour, "", doc};
    spec.fixed = Format::F32;
    spec.wanted = std::string_view(name) != "mNew" && std::string_view(name) != "vNew";
    return spec;
}

} // namespace

Operator adamwOperator() {
    using Role = TensorSpec::Role;
    Operator op;
    op.id = "adamw";
    op.lab = "Precision";
    op.title = op.page = "AdamW";
    op.formula = "w ← w − lr · (m̂ / (√v̂ + ε) + λ · w)";
    op.flopsText = "15 a parameter";
    op.questions = {{Page::Race, "What does an optimiser's step cost in f32, and with f32 weights behind 16-bit ones?"},
                    {Page::Traffic, "Why does a step with 16-bit gradients move as many bytes as one in f32?"},
                    {Page::Accuracy, "What would be lost if the weights themselves were kept in 16 bits?"}};
    op.knobs = knobs;
    op.tensors = {wide("w", Role::Input, 0, "Weights"),
                  {"g", Role::Input, {"count"}, 1, "", "Gradients times the scale"},
                  wide("m", Role::Input, 5, "Mean of the gradients"),
                  wide("v", Role::Input, 2, "Mean of their squares"),
                  wide("wNew", Role::Output, 3, "Where the new weights go"),
                  {"copy", Role::Output, {"count"}, 4, "", "Where the copy of the weights goes", false},
                  wide("mNew", Role::Output, 6, "Where their mean goes"),
                  wide("vNew", Role::Output, 8, "Where the mean of their squares goes")};
    op.inputKinds = {{"training", "Training", "weights, gradients and moments as in the midst of a training"},
                     {"first", "First step", "moments of 0"},
                     {"tiny", "Tiny gradients", "a millionth of those: without their scale 0 in f16"}};
    op.fill = fill;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::AdamwProblem problem = problemOf(p, t);
        problem.copied = Format::F32; // what the copy is judged by is not rounded
        cpu::adamw(cpu::AdamwRung::Reference, problem, how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::adamwFlops(p["count"]); };
    op.compulsoryBytes = [](const Problem& p) { return gpu::adamwTraffic(p.format, p["count"]); };
    op.inWords = [](const Problem& p) { return fmt::format("{} parameters, step {}", p["count"], p["step"]); };
    op.options = {stepParameter(), powerParameter(0), rateParameter(), decayParameter()};
    op.lower = "count";
    for (const auto& rung : cpu::adamwRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu(Format::BF16, "fused-bf16", "f32 weights, bf16 gradients and copy",
                              "The same with bf16, which needs no scale.", 1));
    op.ladder.push_back(onGpu(Format::F16, "fused-f16", "f32 weights, f16 gradients and copy",
                              "Half the bytes for gradients, and as many more for the copy: 28 bytes a parameter.", 0));
    op.ladder.push_back(onGpu(Format::F32, "fused", "f32 throughout, one kernel",
                              "Everything a parameter needs is read and written once: 28 bytes.", 5));
    op.baseline = "plain";
    op.trafficRatios = {{"f32OverF16", "fused", "fused-f16"}};
    return op;
}

} // namespace warplight::labs::precision
