// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs of SSD on a GPU.
#include "core/labs/ssm/ssd_operator.h"
#include "gpu/number/format.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using workbench::Implementation;
using workbench::Problem;
using workbench::Tensors;

Implementation onGpu(const gpu::SsdRungInfo& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Gpu,
                                                   ssdColour(rung.name));
    if (rung.halfInputs) {
        i.formats = {number::Format::F16, number::Format::BF16};
        // Decayed B, states and weights are rounded once each.
        i.roundoff = [](const Problem& p) { return p.format == number::Format::BF16 ? 0x1p-5 : 0x1p-8; };
    }
    i.whyNot = [id = rung.id](const Problem& p) {
        const std::string why = workbench::refusalOf([&] { gpu::checkShape(ssdGpuShape(p)); });
        return why.empty() ? gpu::whyNot(id, ssdGpuShape(p), p.format) : why;
    };
    i.heldBytes = [id = rung.id](const Problem& p, int) { return gpu::deviceBytes(id, ssdGpuShape(p), p.format); };
    i.bytes = [id = rung.id](const Problem& p) { return gpu::algorithmicTraffic(id, ssdGpuShape(p), p.format); };
    i.flops = [id = rung.id](const Problem& p) {
        return cpu::flopsOf(id == gpu::SsdRung::Recurrent ? cpu::SsdRung::Recurrent : cpu::SsdRung::Chunked,
                            ssdShape(p));
    };
    i.onGpu = [id = rung.id](const Problem& p, Tensors& t, gpu::KernelLibrary& library,
                             const gpu::LaunchOptions& how) -> gpu::Launched {
        const auto of = [&](const char* name) { return t.at(name).values.data(); };
        gpu::SsdRun run = gpu::ssd(
            library, id, ssdGpuShape(p),
            {of("X"), of("A"), of("B"), of("C"), p.flag("begins") ? of("initial-state") : nullptr}, p.format, how);
        t.at("Y").values = std::move(run.y);
        t.at("last-state").values = std::move(run.last);
        return gpu::Launched(std::move(run));
    };
    return i;
}

} // namespace

gpu::SsdShape ssdGpuShape(const Problem& p) {
    const cpu::SsdShape from = ssdShape(p);
    gpu::SsdShape s;
    s.batch = from.batch, s.length = from.length;
    s.heads = from.heads, s.groups = from.groups;
    s.headDim = from.headDim, s.stateDim = from.stateDim;
    s.chunk = from.chunk;
    s.begins = p.flag("begins");
    return s;
}

std::vector<Implementation> ssdGpuRungs() {
    std::vector<Implementation> rungs;
    for (const gpu::SsdRungInfo& rung : gpu::ssdRungs())
        rungs.push_back(onGpu(rung));
    return rungs;
}

} // namespace warplight::labs::ssm
