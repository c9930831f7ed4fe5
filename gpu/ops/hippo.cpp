// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/hippo.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/format.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>

namespace warplight::gpu {
namespace {

constexpr int64_t channelsOfBlock = 8, signalSteps = 32, warpsOfBlock = 4; ///< as gpu/kernels/hippo.cu has them
constexpr int64_t mostThreads = 128; ///< of hippo_dense, each with rows of its own
constexpr int64_t mostStates = 512, mostLinear = 256;
constexpr int64_t mostChannels = int64_t{1} << 20, mostSteps = int64_t{1} << 30, mostNumbers = int64_t{1} << 28;

int64_t matrixNumbers(const HippoShape& s) { return s.state * (s.state + 1); }

int32_t int32(int64_t x) { return static_cast<int32_t>(x); }

/// U and coefficients on the device, around what a rung launches with their addresses.
template <class Launch>
HippoRun between(Launcher& launcher, const HippoShape& s, const float* u, const LaunchOptions& options,
                 const Launch& launch) {
    constexpr auto f32 = number::Format::F32;
    DeviceMatrix in(launcher.device(), "U", s.channels, s.length, f32),
        out(launcher.device(), "coefficients", s.channels * s.kept, s.state, f32);
    in.upload(u, options.cancel);
    if (s.channels > 0)
        launch(in.address(), out.address());
    HippoRun run{launcher.finish(), {}};
    run.coefficients = out.download(options.cancel);
    return run;
}

} // namespace

std::string_view name(HippoRung rung) { return rung == HippoRung::Dense ? "dense" : "linear"; }

void checkShape(HippoRung rung, const HippoShape& s, int64_t matrices) {
    const int64_t states = rung == HippoRung::Dense ? mostStates : mostLinear;
    if (s.channels < 0 || s.channels > mostChannels || s.length < 1 || s.length > mostSteps || s.state < 1 ||
        s.state > states)
        throw InputError(
            fmt::format("hippo: {} channels of {} steps with {} states, expected 0 to {}, 1 to {} and 1 to {}",
                        s.channels, s.length, s.state, mostChannels, mostSteps, states));
    if (s.every < 0 || s.every > mostSteps || s.kept != (s.every == 0 ? 1 : (s.length + s.every - 1) / s.every))
        throw InputError(fmt::format("hippo: {} states kept, every {} of {} steps", s.kept, s.every, s.length));
    if (rung == HippoRung::Dense && matrices > mostNumbers / matrixNumbers(s))
        throw InputError(fmt::format("hippo: {} matrices of {} numbers, expected at most 2^28 numbers in all", matrices,
                                     matrixNumbers(s)));
}

HippoRun hippoDense(KernelLibrary& library, const HippoShape& s, const std::vector<float>& matrices, const float* u,
                    const LaunchOptions& options) {
    const int64_t count = static_cast<int64_t>(matrices.size()) / std::max<int64_t>(1, matrixNumbers(s));
    checkShape(HippoRung::Dense, s, count);
    if (static_cast<int64_t>(matrices.size()) != count * matrixNumbers(s) || (count != 1 && count != s.length))
        throw InputError(fmt::format("hippo: {} numbers of matrices [{}, {}], expected one or {} of them",
                                     matrices.size(), s.state + 1, s.state, s.length));
    Launcher launcher(library, options);
    DeviceMatrix all(launcher.device(), "matrices", count * (s.state + 1), s.state, number::Format::F32);
    all.upload(matrices.data(), options.cancel);
    return between(launcher, s, u, options, [&](uint64_t in, uint64_t out) {
        const int64_t threads = std::min(mostThreads, wholeMultiple(s.state, 32));
        launcher.start("hippo", "hippo_dense", {ceilDiv(s.channels, channelsOfBlock)}, {static_cast<uint32_t>(threads)},
                       4 * 2 * channelsOfBlock * s.state,
                       {all.address(), in, out, int32(s.channels), int32(s.length), int32(s.state), int32(s.every),
                        int32(s.kept), int32(count == 1 ? 0 : matrixNumbers(s))});
    });
}

HippoRun hippoLinear(KernelLibrary& library, const HippoShape& s, float ahead, float behind, const float* u,
                     const LaunchOptions& options) {
    checkShape(HippoRung::Linear, s);
    Launcher launcher(library, options);
    return between(launcher, s, u, options, [&](uint64_t in, uint64_t out) {
        const std::string kernel = s.state <= 32    ? "hippo_linear_1"
                                   : s.state <= 64  ? "hippo_linear_2"
                                   : s.state <= 128 ? "hippo_linear_4"
                                                    : "hippo_linear_8";
        launcher.start("hippo", kernel, {ceilDiv(s.channels, warpsOfBlock)}, {32 * warpsOfBlock}, 0,
                       {in, out, int32(s.channels), int32(s.length), int32(s.state), int32(s.every), int32(s.kept),
                        ahead, behind});
    });
}

TensorTraffic algorithmicTraffic(HippoRung rung, const HippoShape& s) {
    const auto channels = static_cast<double>(s.channels), length = static_cast<double>(s.length),
               state = static_cast<double>(s.state);
    TensorTraffic t{{"U", {4 * channels * length, 0}},
                    {"coefficients", {0, 4 * channels * static_cast<double>(s.kept) * state}}};
    if (rung == HippoRung::Dense)
        t["matrices"].read =
            4 * length * state * (state + 1) * static_cast<double>(ceilDiv(s.channels, channelsOfBlock));
    return withoutEmpty(t);
}

int64_t deviceBytes(HippoRung rung, const HippoShape& s, int64_t matrices) {
    const int64_t tensors = saturatedSum(saturatedProduct(4 * s.channels, s.length),
                                         saturatedProduct(saturatedProduct(4 * s.channels, s.kept), s.state));
    return rung == HippoRung::Linear ? tensors
                                     : saturatedSum(tensors, saturatedProduct(matrices, 4 * matrixNumbers(s)));
}

int64_t sharedBytes(HippoRung rung, const HippoShape& s) {
    return rung == HippoRung::Linear ? 0 : 4 * channelsOfBlock * (2 * s.state + signalSteps);
}

} // namespace warplight::gpu
