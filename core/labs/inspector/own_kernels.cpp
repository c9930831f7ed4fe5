// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/inputs.h"
#include "core/labs/inspector/inspection.h"
#include "gpu/ops/attention.h"
#include "gpu/virtual/virtual_device.h"

#include "core/error.h"

#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <string>

namespace warplight::labs::inspector {

Inspection inspectOwnKernel(const lab::Settings& settings, lab::Run& run) {
    const gpu::AttentionRung rung = gpu::attentionRungByName(settings.text("kernel"));
    cpu::AttentionProblem problem;
    problem.queryLen = problem.keyLen = settings.integer("seqLen");
    problem.headDim = settings.integer("headDim");
    problem.causal = settings.flag("causal");
    const attention::AttentionInputs inputs = attention::makeInputs(problem, "gaussian", 42, run.cancelToken());
    const gpu::AttentionShape shape{1,
                                    1,
                                    1,
                                    problem.queryLen,
                                    problem.keyLen,
                                    problem.headDim,
                                    1.0f / std::sqrt(static_cast<float>(problem.headDim)),
                                    problem.causal};
    const auto device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library(*device);
    const auto wanted = static_cast<size_t>(settings.integer("launch") - 1);
    Inspection result;
    gpu::LaunchRecord inspected;
    size_t launches = 0;
    const auto launch = [&](const std::function<void(gpu::LaunchConfig&)>& prepare) {
        size_t number = 0;
        gpu::AttentionOptions options;
        options.format = gpu::info(rung).halfInputs ? number::Format::F16 : number::Format::F32;
        options.cancel = run.cancelToken();
        options.prepare = [&](gpu::LaunchConfig& config) { // of several launches, the one that was asked for
            config.checks = number < wanted;               // what the others write has been written
            if (number++ == wanted)
                prepare(config);
        };
        gpu::AttentionRun done =
            gpu::attentionForward(library, rung, shape, inputs.q.data(), inputs.k.data(), inputs.v.data(), options);
        launches = done.launches.size();
        if (wanted >= launches)
            throw InputError(fmt::format("launch {}: {} launches {} kernel{}", wanted + 1, gpu::info(rung).name,
                                         launches, launches == 1 ? "" : "s"));
        inspected = done.launches[wanted];
        return inspected.stats;
    };
    Watch(run).inspect(launch, settings.text("gpu"), result);
    result.kernel = inspected.kernel;
    result.sharedBytes = inspected.sharedBytes;
    result.title = fmt::format("{}{}, N = {}, headDim {}, random Q, K and V", gpu::info(rung).name,
                               launches > 1 ? fmt::format(" ({} of {})", wanted + 1, launches) : "", problem.queryLen,
                               problem.headDim);
    const std::string family = gpu::familyOf(inspected.kernel);
    result.ptxName = family + ".ptx";
    result.ptx = gpu::kernelText(family);
    result.sources = gpu::kernelSources();
    return result;
}

} // namespace warplight::labs::inspector
