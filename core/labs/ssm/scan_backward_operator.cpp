// SPDX-License-Identifier: GPL-3.0-or-later
// The gradients of the linear scan, as an operator.
#include "core/labs/ssm/scan_operator.h"
#include "core/tensor/random.h"
#include "gpu/ops/scan_backward.h"

#include <atomic>
#include <cstdint>
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

constexpr uint64_t gradientStream = 3; ///< behind those of scan_inputs.cpp

cpu::RunCost backward(cpu::ScanRung rung, const Problem& p, Tensors& t, const cpu::RunOptions& how) {
    const auto of = [&](const char* name) { return t.at(name).values.data(); };
    return cpu::scanBackward(rung, {scanShape(p), of("A"), of("B"), of("h0"), of("H")},
                             {of("dH"), of("dA"), of("dB"), of("dh0")}, how);
}

Implementation onCpu(const cpu::RungInfo<cpu::ScanRung>& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Cpu,
                                                   scanColour(rung.name));
    i.held = "the sequence from its end";
    i.heldBytes = [id = rung.id](const Problem& p, int threads) {
        return cpu::scanBackwardBytesAtMost(id, scanShape(p), threads);
    };
    i.onCpu = [id = rung.id](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        return backward(id, p, t, how).extraBytes;
    };
    return i;
}

gpu::ScanBackwardShape gpuShape(const Problem& p) { return {p["channels"], p["length"]}; }

Implementation onGpu(const gpu::ScanRungInfo& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Gpu,
                                                   scanColour(rung.name));
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); };
    i.heldBytes = [id = rung.id](const Problem& p, int) { return gpu::deviceBytes(id, gpuShape(p)); };
    i.bytes = [id = rung.id](const Problem& p) { return gpu::algorithmicTraffic(id, gpuShape(p)); };
    i.onGpu = [id = rung.id](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                             const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto of = [&](const char* name) { return t.at(name).values.data(); };
        gpu::ScanBackwardRun run =
            gpu::scanBackward(library, id, gpuShape(p), {of("A"), of("h0"), of("H"), of("dH")}, how);
        t.at("dA").values = std::move(run.da);
        t.at("dB").values = std::move(run.db);
        t.at("dh0").values = std::move(run.dh0);
        return gpu::Launched(std::move(run));
    };
    return i;
}

} // namespace

Operator scanBackwardOperator() {
    using Role = workbench::TensorSpec::Role;
    Operator op;
    op.id = "scan-backward";
    op.lab = "State space models";
    op.title = "Scan backward";
    op.page = "Scan ∇";
    op.gradientOf = "scan";
    op.formula = "g_t = dh_t + a_{t+1} · g_{t+1}, db_t = g_t, da_t = g_t · h_{t-1}, dh0 = a_0 · g_0";
    op.flopsText = "3 a step: the scan from the end, and the product with the state";
    op.questions = {{Page::Race, "What does the way back cost, which is a scan again?"},
                    {Page::Traffic, "What does the way back read and write beside the scan itself?"}};
    op.knobs = scanKnobs;
    const std::vector<std::string> rows{"channels", "length"}, states{"channels"};
    op.tensors = {{"A", Role::Input, rows, 0, "", "Decays, one a step"},
                  {"B", Role::Input, rows, 5, "", "What is added, one a step"},
                  {"h0", Role::Input, states, 8, "", "The state before the first step; 0 if it is not given", false},
                  {"H", Role::Input, rows, 3, "", "The states; computed if they are not given", false},
                  {"dH", Role::Input, rows, 4, "", "Gradient of the states"},
                  {"dA", Role::Output, rows, 7, "", "Where the gradient of A goes"},
                  {"dB", Role::Output, rows, 9, "", "Where the gradient of B goes"},
                  {"dh0", Role::Output, states, 2, "", "Where the gradient of h0 goes"}};
    addScanBetween(op);
    op.inputKinds = scanInputKinds();
    op.complete = [](Problem& p) {
        p.numbers["parts"] = 1;
        check(scanShape(p));
    };
    op.fill = [](const Problem& p, const std::string& kind, uint64_t seed, Tensors& t,
                 const std::atomic<bool>* cancel) {
        fillScan(p, kind, seed, t, cancel);
        tensor::fillGaussian(t.at("dH").values, seed, gradientStream, 1, cancel);
    };
    op.derive = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        const auto of = [&](const char* name) { return t.at(name).values.data(); };
        cpu::scan(cpu::ScanRung::Chunked, {scanShape(p), of("A"), of("B"), of("h0"), of("H")}, how);
    };
    op.reference = [](const Problem& p, Tensors& t, const cpu::RunOptions& how) {
        backward(cpu::ScanRung::Reference, p, t, how);
    };
    op.usefulFlops = [](const Problem& p) { return cpu::scanBackwardFlops(scanShape(p)); };
    op.compulsoryBytes = [](const Problem& p) { return gpu::compulsoryTraffic(gpuShape(p)); }; // B is not needed
    op.inWords = scanInWords;
    op.lower = "length or channels";
    for (const auto& rung : cpu::scanRungs())
        op.ladder.push_back(onCpu(rung));
    for (const gpu::ScanRungInfo& rung : gpu::scanBackwardRungs())
        op.ladder.push_back(onGpu(rung));
    op.trafficRatios = {{"chunkedOverLookBack", "chunked", "look-back"}};
    op.baseline = "serial";
    op.frugal = "chunked";
    op.arrangement = scanArrangement(1);
    return op;
}

} // namespace warplight::labs::ssm
