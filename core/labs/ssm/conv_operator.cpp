// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/conv_operator.h"

#include "core/cpu/ssm/causal_conv.h"
#include "core/error.h"
#include "core/tensor/random.h"
#include "gpu/ops/causal_conv.h"

#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using lab::Parameter;
using workbench::Implementation;
using workbench::Knob;
using workbench::Operator;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;
using workbench::TensorSpec;

cpu::ConvProblem problemOf(const Problem& p, Tensors* t = nullptr) {
    cpu::ConvProblem c;
    c.batch = p["batch"], c.dim = p["dim"], c.length = p["len"], c.width = p["width"];
    c.silu = p.flag("silu");
    if (t) {
        c.x = t->at("x").values.data(), c.w = t->at("weight").values.data(), c.y = t->at("y").values.data();
        c.bias = p.flag("hasBias") ? t->at("bias").values.data() : nullptr;
    }
    return c;
}

gpu::ConvShape gpuShape(const Problem& p) {
    return {p["batch"], p["dim"], p["len"], p["width"], p.flag("silu"), p.flag("hasBias")};
}

std::vector<TensorSpec> tensorSpecs() {
    using Role = TensorSpec::Role;
    return {{"x", Role::Input, {"batch", "dim", "len"}, 0, "", "[batch, dim, len]"},
            {"weight",
             Role::Input,
             {"dim", "width"},
             5,
             "weights",
             "[dim, width], the last of which meets the step itself"},
            {"bias", Role::Input, {"biasDim"}, 4, "D and bias", "[dim], default 0", false},
            {"y", Role::Output, {"batch", "dim", "len"}, 3, "", "Where y goes"}};
}

Implementation onCpu(const cpu::RungInfo<cpu::ConvRung>& rung) {
    const int colour = rung.id == cpu::ConvRung::Reference ? 4 : rung.id == cpu::ConvRung::Plain ? 6 : 1;
    Implementation i =
        workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu, colour);
    i.chosen = rung.id != cpu::ConvRung::Reference;
    i.heldBytes = [](const Problem&, int) { return int64_t{0}; };
    if (rung.id != cpu::ConvRung::Reference)
        i.bytes = [](const Problem& p) { return workbench::compulsoryTraffic(tensorSpecs(), p); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return cpu::causalConv(id, problemOf(p, &t), how).extraBytes;
    };
    return i;
}

Implementation onGpu() {
    Implementation i = workbench::implementationOf(
        "steps", "A thread a step", "Inputs of 256 steps and of those before lie in shared memory: each is read once.",
        Implementation::Device::Gpu, 2);
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); };
    i.heldBytes = [](const Problem& p, int) { return gpu::deviceBytes(gpuShape(p)); };
    i.bytes = [](const Problem& p) { return gpu::algorithmicTraffic(gpuShape(p)); };
    i.onGpu = [](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                 const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto at = [&](const char* name) { return t.at(name).values.data(); };
        gpu::ConvRun run = gpu::causalConv(library, gpuShape(p), {at("x"), at("weight"), at("bias")}, how);
        t.at("y").values = std::move(run.y);
        return gpu::Launched(std::move(run));
    };
    return i;
}

Knob sizeKnob(const char* id, const char* symbol, const char* axis, const char* title, int64_t standing, int64_t most,
              std::vector<int64_t> swept, double probe) {
    Knob k;
    k.id = id;
    k.symbol = symbol;
    k.axis = axis;
    k.single = Parameter::integer(id, title, standing, 1, static_cast<double>(most), fmt::format("{}.", title));
    k.sweep = Parameter::sweep(fmt::format("{}Swept", id), title, std::move(swept), 1, static_cast<double>(most),
                               fmt::format("{}, one a point.", title));
    k.probe = probe;
    return k;
}

std::vector<Knob> knobs(Page page) {
    const bool race = page == Page::Race;
    std::vector<Knob> all{
        sizeKnob("len", "L", "length", "Length", race ? 2048 : 512, race ? 1 << 20 : 1 << 14,
                 race ? std::vector<int64_t>{256, 1024, 4096, 16384} : std::vector<int64_t>{64, 256, 1024}, 256),
        sizeKnob("dim", "E", "channels", "Channels", race ? 256 : 32, 1 << 14, {16, 64, 256, 1024}, 16),
        sizeKnob("width", "w", "steps that one sees", "Width", 4, cpu::widestConv, {2, 4, 8, 16}, 2)};
    Knob silu;
    silu.id = silu.symbol = "silu";
    silu.single = Parameter::flag("silu", "SiLU", true, "y is silu of the sum.");
    all.push_back(silu);
    return all;
}

void complete(Problem& p) {
    const std::pair<const char*, double> otherwise[] = {{"batch", 1}, {"dim", 32}, {"len", 256},
                                                        {"width", 4}, {"silu", 0}, {"hasBias", 1}};
    for (const auto& [id, value] : otherwise)
        if (!p.has(id))
            p.numbers[id] = value;
    cpu::checkShape(problemOf(p));
    p.numbers["biasDim"] = p.flag("hasBias") ? p.real("dim") : 0;
}

workbench::Arranged arrange(Tensors& given, const std::map<std::string, std::string>& origin, const std::string&) {
    const auto refuse = [&](const char* name, const std::string& expected) {
        throw InputError(fmt::format("{}: shape {}, expected {}", origin.at(name),
                                     tensor::shapeText(given.at(name).shape), expected));
    };
    const auto& x = given.at("x").shape;
    if (x.size() != 3)
        refuse("x", "[batch, dim, len]");
    const auto& w = given.at("weight").shape;
    if (w.size() != 2 || w[0] != x[1])
        refuse("weight", fmt::format("[dim, width] with dim {} as in x", x[1]));
    if (given.contains("bias") && given.at("bias").shape != std::vector<int64_t>{x[1]})
        refuse("bias", fmt::format("[{}], a number for each channel of x", x[1]));
    workbench::Arranged arranged;
    const std::pair<const char*, int64_t> numbers[] = {
        {"batch", x[0]}, {"dim", x[1]}, {"len", x[2]}, {"width", w[1]}, {"hasBias", given.contains("bias")}};
    for (const auto& [id, value] : numbers)
        arranged.problem.numbers[id] = static_cast<double>(value);
    return arranged;
}

void fill(const Problem&, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    if (kind != "gaussian" && kind != "large")
        throw InputError(fmt::format("input '{}' is not known, expected one of the kinds that describe lists", kind));
    tensor::fillGaussian(t.at("x").values, seed, 0, kind == "large" ? 100.0f : 1.0f, cancel);
    tensor::fillGaussian(t.at("weight").values, seed, 1, 0.5f, cancel);
    tensor::fillGaussian(t.at("bias").values, seed, 2, 0.5f, cancel);
}

} // namespace

Operator causalConvOperator() {
    Operator op;
    op.id = "causal-conv";
    op.lab = "State space models";
    op.title = "Causal convolution";
    op.page = "Conv";
    op.formula = "y_t = silu(b + Σ_k w_k x_{t-w+1+k})";
    op.flopsText = "2·w a channel and step, and 4 for silu";
    op.questions = {{Page::Race, "What does the short convolution before each selective scan cost?"}};
    op.knobs = knobs;
    op.complete = complete;
    op.tensors = tensorSpecs();
    op.inputKinds = {{"gaussian", "Gaussian", "independent normal numbers"},
                     {"large", "Large", "inputs times 100: silu is 0 or its argument"}};
    op.fill = fill;
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        cpu::causalConv(cpu::ConvRung::Reference, problemOf(p, &t), how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::flopsOf(problemOf(p)); };
    op.inWords = [](const Problem& p) {
        return fmt::format("L = {} of {} channels, width {}", p["len"], p["dim"], p["width"]);
    };
    op.options = {Parameter::flag("silu", "SiLU", false, "y is silu of the sum")};
    op.lower = "len, dim or batch";
    for (const auto& rung : cpu::convRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu());
    op.baseline = "stepwise";
    op.frugal = "vectors";
    op.arrangement = workbench::Arrangement{{}, arrange};
    return op;
}

} // namespace warplight::labs::ssm
