// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/adamw.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <vector>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr int64_t threads = 256, each = 4; ///< parameters a thread

} // namespace

AdamwRun adamw(KernelLibrary& library, Format gradients, int64_t count, const float* w, const float* g, const float* m,
               const float* v, const AdamwStep& step, const LaunchOptions& options) {
    if (count < 0)
        throw InputError(fmt::format("adamw: {} parameters, expected at least 0", count));
    if (gradients != Format::F32 && gradients != Format::F16 && gradients != Format::BF16)
        throw InputError(fmt::format("adamw: takes f32, f16 or bf16, not {}", number::name(gradients)));
    checkStep(step);
    Device& device = library.device();
    Launcher launcher(library, options);
    DeviceMatrix weights(device, "w", 1, count, Format::F32), gradient(device, "g", 1, count, gradients),
        mean(device, "m", 1, count, Format::F32), square(device, "v", 1, count, Format::F32);
    std::optional<DeviceMatrix> copy;
    if (gradients != Format::F32)
        copy.emplace(device, "copy", 1, count, gradients);
    weights.upload(w, options.cancel);
    gradient.upload(g, options.cancel);
    mean.upload(m, options.cancel);
    square.upload(v, options.cancel);
    std::vector<Argument> arguments{weights.address(), gradient.address(), mean.address(), square.address()};
    if (copy)
        arguments.emplace_back(copy->address());
    arguments.emplace_back(AdamwConstants<float>(step));
    arguments.emplace_back(count);
    if (count > 0)
        launcher.start("adamw", "adamw_" + number::name(gradients), {ceilDiv(count, threads * each)}, {threads}, 0,
                       arguments);
    AdamwRun run;
    run.w = weights.download(options.cancel); // now: repetitions for the time are further steps
    run.m = mean.download(options.cancel);
    run.v = square.download(options.cancel);
    run.copy = copy ? copy->download(options.cancel) : run.w;
    static_cast<Launched&>(run) = launcher.finish();
    return run;
}

TensorTraffic adamwTraffic(Format gradients, int64_t count) {
    const double numbers = static_cast<double>(count), wide = 4 * numbers,
                 size = static_cast<double>(number::bytes(gradients)) * numbers;
    TensorTraffic t{{"w", {wide, wide}}, {"g", {size, 0}}, {"m", {wide, wide}}, {"v", {wide, wide}}};
    if (gradients != Format::F32)
        t["copy"] = {0, size};
    return withoutEmpty(t);
}

int64_t adamwBytes(Format gradients, int64_t count) {
    const int64_t small = number::bytes(gradients);
    return saturatedProduct(3 * 4 + small + (gradients == Format::F32 ? 0 : small), count);
}

} // namespace warplight::gpu
