// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs of the gated attention unit on a GPU.
#include "core/labs/linear/gau_lab.h"
#include "gpu/number/format.h"
#include "gpu/ops/gau.h"

#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using workbench::Implementation;
using workbench::Problem;
using workbench::Tensors;

/// The enums of both sides name the same things in the same order.
static_assert(static_cast<int>(gpu::GauFunction::Relu2) == static_cast<int>(cpu::GauFunction::Relu2));
static_assert(static_cast<int>(gpu::GauFunction::Relu2Root) == static_cast<int>(cpu::GauFunction::Relu2Root));
static_assert(static_cast<int>(gpu::GauFunction::Softmax) == static_cast<int>(cpu::GauFunction::Softmax));
static_assert(static_cast<int>(gpu::GauFunction::Laplace) == static_cast<int>(cpu::GauFunction::Laplace));

gpu::GauShape gpuShape(const Problem& p) {
    const cpu::GauShape from = gauShape(p);
    gpu::GauShape s;
    s.batch = from.batch, s.length = from.length;
    s.features = from.features, s.expanded = from.expanded, s.shared = from.shared;
    s.function = static_cast<gpu::GauFunction>(from.function);
    s.causal = from.causal, s.seenKeys = from.seenKeys;
    s.chunk = from.chunk;
    return s;
}

Implementation onGpu(const gpu::GauRungInfo& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Gpu,
                                                   gauColour(rung.name));
    i.whyNot = [](const Problem& p) { return workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); }); };
    i.heldBytes = [id = rung.id](const Problem& p, int) { return gpu::deviceBytes(id, gpuShape(p)); };
    i.bytes = [id = rung.id](const Problem& p) { return gpu::algorithmicTraffic(id, gpuShape(p)); };
    i.onGpu = [id = rung.id](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                             const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto of = [&](const char* name) { return t.at(name).values.data(); };
        gpu::GauRun run = gpu::gau(library, id, gpuShape(p),
                                   {of("X"), of("Wu"), of("Wv"), of("Wz"), of("gamma"), of("beta"), of("Wo")}, how);
        t.at("Y").values = std::move(run.y);
        return gpu::Launched(std::move(run));
    };
    return i;
}

} // namespace

std::vector<Implementation> gauGpuRungs() {
    std::vector<Implementation> rungs;
    for (const gpu::GauRungInfo& rung : gpu::gauRungs())
        rungs.push_back(onGpu(rung));
    return rungs;
}

} // namespace warplight::labs::linear
