// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs of linear attention on a GPU.
#include "core/cpu/linear/feature_map.h"
#include "core/labs/linear/linear_operator.h"
#include "gpu/number/format.h"
#include "gpu/ops/linear_attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using workbench::Implementation;
using workbench::Problem;
using workbench::Tensors;

/// The enums of both sides name the same things in the same order.
static_assert(static_cast<int>(gpu::FeatureMap::Identity) == static_cast<int>(cpu::FeatureMap::Identity));
static_assert(static_cast<int>(gpu::FeatureMap::Cos) == static_cast<int>(cpu::FeatureMap::Cos));
static_assert(static_cast<int>(gpu::LinearRule::GatedDelta) == static_cast<int>(cpu::LinearRule::GatedDelta));

gpu::LinearShape gpuShape(const Problem& p) {
    const cpu::LinearShape from = linearShape(p);
    gpu::LinearShape s;
    s.batch = from.batch, s.heads = from.heads;
    s.queryLen = from.queryLen, s.keyLen = from.keyLen;
    s.headDim = from.headDim, s.valueDim = from.valueDim;
    s.map = static_cast<gpu::FeatureMap>(from.map);
    s.rule = static_cast<gpu::LinearRule>(from.rule);
    s.causal = from.causal, s.normalised = from.normalise;
    s.scale = static_cast<float>(cpu::scaleOf(from));
    s.randomFeatures = from.features;
    s.chunk = from.chunk;
    s.keepsState = true;
    return s;
}

int colourOf(gpu::LinearRung rung) {
    return rung == gpu::LinearRung::Recurrent ? 5 : rung == gpu::LinearRung::Chunked ? 6 : 8;
}

Implementation onGpu(const gpu::LinearRungInfo& rung) {
    Implementation i = workbench::implementationOf(rung.name, rung.title, rung.improves, Implementation::Device::Gpu,
                                                   colourOf(rung.id));
    if (rung.halfInputs) {
        i.formats = {number::Format::F16, number::Format::BF16};
        // Features, decayed keys, states and weights are rounded once each.
        i.roundoff = [](const Problem& p) { return p.format == number::Format::BF16 ? 0x1p-5 : 0x1p-8; };
    }
    i.whyNot = [id = rung.id](const Problem& p) {
        const std::string why = workbench::refusalOf([&] { gpu::checkShape(gpuShape(p)); });
        return why.empty() ? gpu::whyNot(id, gpuShape(p), p.format) : why;
    };
    i.heldBytes = [id = rung.id](const Problem& p, int) { return gpu::deviceBytes(id, gpuShape(p), p.format); };
    i.bytes = [id = rung.id](const Problem& p) { return gpu::algorithmicTraffic(id, gpuShape(p), p.format); };
    i.flops = [id = rung.id](const Problem& p) {
        return cpu::flopsOf(id == gpu::LinearRung::Recurrent ? cpu::LinearForm::Recurrent : cpu::LinearForm::Chunked,
                            linearShape(p));
    };
    i.onGpu = [id = rung.id](const Problem& p, Tensors& tensors, gpu::KernelLibrary& library,
                             const gpu::LaunchOptions& how) -> gpu::Launched {
        const cpu::LinearTensors<float> t = linearTensors(tensors);
        std::vector<float> projection;
        if (const cpu::LinearShape shape = linearShape(p); shape.map == cpu::FeatureMap::Favor) {
            const std::vector<double> exact = cpu::favorProjection(shape);
            projection.resize(exact.size());
            std::transform(exact.begin(), exact.end(), projection.begin(),
                           [](double x) { return static_cast<float>(x); });
        }
        gpu::LinearRun run = gpu::linearAttention(
            library, id, gpuShape(p),
            {t.q, t.k, t.v, t.decay, t.beta, projection.empty() ? nullptr : projection.data()}, p.format, how);
        tensors.at("O").values = std::move(run.o);
        tensors.at("state").values = std::move(run.state);
        tensors.at("z").values = std::move(run.z);
        return gpu::Launched(std::move(run));
    };
    return i;
}

} // namespace

std::vector<Implementation> linearGpuRungs() {
    std::vector<Implementation> rungs;
    for (const gpu::LinearRungInfo& rung : gpu::linearRungs())
        rungs.push_back(onGpu(rung));
    return rungs;
}

} // namespace warplight::labs::linear
