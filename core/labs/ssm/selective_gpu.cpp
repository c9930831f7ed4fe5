// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs of the selective scan and of its gradients on a GPU.
#include "core/labs/ssm/selective_operator.h"
#include "gpu/ops/selective_scan.h"
#include "gpu/ops/selective_scan_backward.h"

#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using workbench::Implementation;
using workbench::Problem;
using workbench::Tensors;

gpu::SelectiveShape gpuShape(const Problem& p) {
    gpu::SelectiveShape s;
    s.batch = p["batch"], s.dim = p["dim"], s.length = p["len"];
    s.state = p["state"], s.groups = p["groups"];
    s.softplus = p.flag("delta-softplus");
    s.skip = p.flag("skip"), s.gate = p.flag("gate"), s.bias = p.flag("bias"), s.first = p.flag("first");
    return s;
}

gpu::SelectiveTensors gpuTensors(Tensors& tensors) {
    const cpu::SelectiveTensors<float> t = selectiveTensors(tensors);
    return {t.u, t.delta, t.a, t.b, t.c, t.d, t.z, t.bias, t.first};
}

Implementation onGpu(const gpu::SelectiveRungInfo& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Gpu,
                                                   selectiveColour(rung.name));
    if (rung.id == gpu::SelectiveRung::Unfused)
        i.held = "decays, inputs and states";
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); };
    i.heldBytes = [id = rung.id](const Problem& p, int) { return gpu::deviceBytes(id, gpuShape(p)); };
    i.bytes = [id = rung.id](const Problem& p) { return gpu::algorithmicTraffic(id, gpuShape(p)); };
    i.onGpu = [id = rung.id](const Problem& p, Tensors& tensors, gpu::KernelLibrary& library,
                             const gpu::LaunchOptions& how) -> gpu::Launched {
        gpu::SelectiveRun run = gpu::selectiveScan(library, id, gpuShape(p), gpuTensors(tensors), how);
        tensors.at("Y").values = std::move(run.y);
        tensors.at("last-state").values = std::move(run.last);
        return gpu::Launched(std::move(run));
    };
    return i;
}

} // namespace

std::vector<Implementation> selectiveGpuRungs() {
    std::vector<Implementation> rungs;
    for (const gpu::SelectiveRungInfo& rung : gpu::selectiveRungs())
        rungs.push_back(onGpu(rung));
    return rungs;
}

Implementation selectiveBackwardOnGpu() {
    Implementation i = workbench::implementationOf(
        "fused", "Four channels a block, states computed again",
        "Blocks read B and C once for four channels, keep states at the beginnings of chunks, and go back with both "
        "scans of a chunk in one; parts of dB and dC go to memory and are added up in one order.",
        Implementation::Device::Gpu, selectiveColour("fused"));
    i.held = "parts of dB and dC";
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); };
    i.heldBytes = [](const Problem& p, int) { return gpu::backwardDeviceBytes(gpuShape(p)); };
    i.bytes = [](const Problem& p) { return gpu::algorithmicBackwardTraffic(gpuShape(p)); };
    i.onGpu = [](const Problem& p, Tensors& tensors, gpu::KernelLibrary& library,
                 const gpu::LaunchOptions& how) -> gpu::Launched {
        gpu::SelectiveGradients made =
            gpu::selectiveScanBackward(library, gpuShape(p), gpuTensors(tensors), tensors.at("dY").values.data(), how);
        for (const auto& [name, gradient] :
             {std::pair("du", &made.du), std::pair("ddelta", &made.ddelta), std::pair("dA", &made.da),
              std::pair("dB", &made.db), std::pair("dC", &made.dc), std::pair("dD", &made.dd),
              std::pair("dz", &made.dz), std::pair("ddelta-bias", &made.dbias)})
            if (!gradient->empty())
                tensors.at(name).values = std::move(*gradient);
        return gpu::Launched(std::move(made));
    };
    return i;
}

} // namespace warplight::labs::ssm
