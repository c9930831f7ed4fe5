// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs of the selective scan on a GPU.
#include "core/labs/ssm/selective_operator.h"
#include "gpu/ops/selective_scan.h"

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
        const cpu::SelectiveTensors<float> t = selectiveTensors(tensors);
        gpu::SelectiveRun run =
            gpu::selectiveScan(library, id, gpuShape(p), {t.u, t.delta, t.a, t.b, t.c, t.d, t.z, t.bias, t.first}, how);
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

} // namespace warplight::labs::ssm
