// SPDX-License-Identifier: GPL-3.0-or-later
// The gradients of SSD, as an operator.
#include "core/cpu/ssm/ssd_backward.h"
#include "core/error.h"
#include "core/labs/ssm/ssd_operator.h"
#include "core/tensor/random.h"
#include "core/workbench/arrange.h"
#include "gpu/ops/ssd_backward.h"

#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <map>
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

constexpr uint64_t gradientStream = 5; ///< behind those of ssd_inputs.cpp

/// The inputs of SSD, dY, and a gradient of each input.
std::vector<workbench::TensorSpec> tensorSpecs(std::vector<workbench::TensorSpec> all) {
    using Role = workbench::TensorSpec::Role;
    std::erase_if(all, [](const auto& t) { return t.role != Role::Input; });
    const auto inputs = all;
    all.push_back({"dY", Role::Input, inputs.front().extents, 6, "", "[batch, length, heads, P], of the loss by Y"});
    const std::map<std::string, std::pair<int, const char*>> shown{{"X", {1, ""}},
                                                                   {"A", {3, "gradient of decays"}},
                                                                   {"B", {11, "dB and dC"}},
                                                                   {"C", {11, "dB and dC"}},
                                                                   {"initial-state", {9, "gradient of the state"}}};
    for (const auto& input : inputs) {
        const auto& [colour, label] = shown.at(input.name);
        all.push_back({"d" + input.name, Role::Output, input.extents, colour, label,
                       fmt::format("Where the gradient of {} goes", input.name), input.wanted});
    }
    for (const char* name : {"decays", "factors"})
        all.push_back({name, Role::Between, {}, 8, "decay"});
    all.push_back({"states", Role::Between, {}, 7, "state"});
    all.push_back({"gradients", Role::Between, {}, 9, "gradient of the state"});
    all.push_back({"parts", Role::Between, {}, 11, "dB and dC"});
    return all;
}

int64_t run(cpu::SsdRung rung, const Problem& p, Tensors& t, const cpu::RunOptions& how) {
    const auto of = [&](const char* name) { return t.at(name).values.data(); };
    const bool begins = p.flag("begins");
    const cpu::SsdTensors given{of("X"), of("A"), of("B"), of("C"), begins ? of("initial-state") : nullptr};
    const cpu::SsdGradients made{of("dY"), of("dX"), of("dA"),
                                 of("dB"), of("dC"), begins ? of("dinitial-state") : nullptr};
    return cpu::ssdBackward(rung, ssdShape(p), given, made, how).extraBytes;
}

Implementation onCpu(const cpu::RungInfo<cpu::SsdRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   ssdColour(rung.name));
    i.chosen = rung.id != cpu::SsdRung::Reference;
    i.held = "states of chunks";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::ssdBackwardBytesAtMost(id, ssdShape(p), threads);
    };
    i.flops = [id = rung.id](const Problem& p) { return cpu::ssdBackwardFlopsOf(id, ssdShape(p)); };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) { return run(id, p, t, how); };
    return i;
}

Implementation onGpu() {
    Implementation i = workbench::implementationOf(
        "chunked", "Pairs of steps within chunks of 32, states and their gradients between chunks",
        "All chunks at once: first what each adds to the state and to its gradient, then all that is read from these.",
        Implementation::Device::Gpu, ssdColour("chunked"));
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(ssdGpuShape(p)); }); };
    i.heldBytes = [](const Problem& p, int) { return gpu::backwardDeviceBytes(ssdGpuShape(p)); };
    i.bytes = [](const Problem& p) { return gpu::backwardTraffic(ssdGpuShape(p)); };
    i.flops = [](const Problem& p) {
        cpu::SsdShape s = ssdShape(p);
        s.chunk = gpu::ssdBackSteps;
        return cpu::ssdBackwardFlopsOf(cpu::SsdRung::Chunked, s);
    };
    i.onGpu = [](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                 const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto of = [&](const char* name) { return t.at(name).values.data(); };
        gpu::SsdBackwardRun run = gpu::ssdBackward(
            library, ssdGpuShape(p),
            {of("X"), of("A"), of("B"), of("C"), p.flag("begins") ? of("initial-state") : nullptr}, of("dY"), how);
        t.at("dX").values = std::move(run.dx);
        t.at("dA").values = std::move(run.da);
        t.at("dB").values = std::move(run.db);
        t.at("dC").values = std::move(run.dc);
        t.at("dinitial-state").values = std::move(run.dinitial);
        return gpu::Launched(std::move(run));
    };
    return i;
}

/// Tensors as SSD has them, dY as X; each gradient has the shape that its input was given in.
workbench::Arranged arrange(Tensors& given, const std::map<std::string, std::string>& origin,
                            const std::string& layout) {
    if (given.at("dY").shape != given.at("X").shape)
        workbench::refuseShape(origin, "dY", given.at("dY").shape,
                               fmt::format("that of X, {}", tensor::shapeText(given.at("X").shape)));
    std::map<std::string, std::vector<int64_t>> shapes;
    for (const auto& [name, tensor] : given)
        shapes["d" + name] = tensor.shape;
    workbench::Arranged arranged = ssdArrangement().in(given, origin, layout);
    given.at("dY").shape = given.at("X").shape;
    arranged.out = [shapes](const std::string& name, tensor::Tensor made) {
        const auto shape = shapes.find(name);
        if (shape == shapes.end())
            throw InputError(fmt::format("there is no {}: {} was not given", name, name.substr(1)));
        made.shape = shape->second;
        return made;
    };
    return arranged;
}

} // namespace

Operator ssdBackwardOperator() {
    const Operator forward = ssdOperator();
    Operator op;
    op.id = "ssd-backward";
    op.lab = forward.lab;
    op.title = "SSD backward";
    op.page = "SSD ∇";
    op.gradientOf = forward.id;
    op.formula = "g_t = c_t dy_tᵀ + e^a_(t+1) · g_(t+1), dx_t = g_tᵀ b_t, db_t = Σ g_t x_t, dc_t = Σ h_t dy_t, "
                 "da_t = e^a_t g_t · h_(t-1)";
    op.flopsText = "17·N·P a step and head: the state forwards twice, its gradient back, and a sum for each input";
    op.questions = {{Page::Race, "What do gradients cost when states are computed again instead of kept?"}};
    op.knobs = forward.knobs;
    op.complete = forward.complete;
    op.tensors = tensorSpecs(forward.tensors);
    op.inputKinds = forward.inputKinds;
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        fillSsd(p, kind, seed, t, cancel);
        tensor::fillGaussian(t.at("dY").values, seed, gradientStream, 1, cancel);
    };
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        run(cpu::SsdRung::Reference, p, t, how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::ssdBackwardFlopsOf(cpu::SsdRung::Recurrent, ssdShape(p)); };
    op.inWords = forward.inWords;
    op.options = forward.options;
    op.lower = forward.lower;
    for (const auto& rung : cpu::ssdBackwardRungs())
        op.ladder.push_back(onCpu(rung));
    op.ladder.push_back(onGpu());
    op.baseline = "recurrent";
    op.frugal = "recurrent";
    op.arrangement = ssdArrangement();
    op.arrangement->in = arrange;
    return op;
}

} // namespace warplight::labs::ssm
