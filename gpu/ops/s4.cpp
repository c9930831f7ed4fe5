// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/s4.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/format.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::gpu {
namespace {

constexpr int64_t warpsOfABlock = 4, mostStates = 128, mostOfLegs = 256; ///< as gpu/kernels/s4.cu has them
constexpr int64_t piece = 128, outputs = 512;
constexpr int64_t mostChannels = 65535, mostSteps = int64_t{1} << 30;

void launchRecurrence(Launcher& launcher, const S4Shape& s, uint64_t factors, uint64_t u, uint64_t y) {
    const int64_t perLane = std::bit_ceil(static_cast<uint64_t>(ceilDiv(s.states, 32)));
    launcher.start("s4", fmt::format("s4_{}_{}", s.isLegs ? "legs" : "recurrent", perLane),
                   {static_cast<uint32_t>(ceilDiv(s.channels, warpsOfABlock))}, {32 * warpsOfABlock}, 0,
                   {factors, u, y, static_cast<int32_t>(s.channels), static_cast<int32_t>(s.length),
                    static_cast<int32_t>(s.states)});
}

} // namespace

std::string_view name(S4Rung rung) { return rung == S4Rung::Recurrent ? "recurrent" : "direct"; }

void checkShape(const S4Shape& s) {
    const int64_t most = s.isLegs ? mostOfLegs : mostStates;
    if (s.channels < 0 || s.channels > mostChannels || s.length < 0 || s.length > mostSteps || s.states < 1 ||
        s.states > most)
        throw InputError(
            fmt::format("s4: {} channels of {} steps with {} {} states, expected 0 to {}, 0 to {} and 1 to {}",
                        s.channels, s.length, s.states, s.isLegs ? "real" : "complex", mostChannels, mostSteps, most));
}

S4Run s4(KernelLibrary& library, S4Rung rung, const S4Shape& s, const float* factors, const float* u,
         const LaunchOptions& options) {
    checkShape(s);
    Launcher launcher(library, options);
    constexpr auto f32 = number::Format::F32;
    DeviceMatrix ofStates(launcher.device(), "factors", s.channels, 4 * s.states, f32),
        in(launcher.device(), "U", s.channels, s.length, f32), out(launcher.device(), "Y", s.channels, s.length, f32);
    ofStates.upload(factors, options.cancel);
    in.upload(u, options.cancel);
    if (s.channels > 0 && s.length > 0) {
        if (rung == S4Rung::Recurrent)
            launchRecurrence(launcher, s, ofStates.address(), in.address(), out.address());
        else {
            const uint64_t kernel = launcher.temporary(4 * s.channels * s.length, "K").address();
            launchRecurrence(launcher, s, ofStates.address(), 0, kernel);
            launcher.start("s4", "s4_direct",
                           {static_cast<uint32_t>(ceilDiv(s.length, outputs)), static_cast<uint32_t>(s.channels)},
                           {static_cast<uint32_t>(piece)}, 0,
                           {kernel, in.address(), out.address(), static_cast<int32_t>(s.length)});
        }
    }
    S4Run run{launcher.finish(), {}};
    run.y = out.download(options.cancel);
    return run;
}

TensorTraffic algorithmicTraffic(S4Rung rung, const S4Shape& s) {
    const auto channels = static_cast<double>(s.channels);
    const double row = 4 * channels * static_cast<double>(s.length),
                 factors = 16 * channels * static_cast<double>(s.states);
    if (s.length == 0)
        return {};
    if (rung == S4Rung::Recurrent)
        return withoutEmpty({{"factors", {factors, 0}}, {"U", {row, 0}}, {"Y", {0, row}}});
    double kernels = 0, signals = 0; // numbers of a channel
    for (int64_t first = 0; first < s.length; first += outputs)
        for (int64_t at = 0; at < std::min(s.length, first + outputs); at += piece) {
            kernels += static_cast<double>(std::min(piece, s.length - at));
            const int64_t from = std::max<int64_t>(0, first - at - (piece - 1)),
                          end = std::min(s.length, first - at + outputs);
            signals += static_cast<double>(std::max<int64_t>(0, end - from));
        }
    return withoutEmpty({{"factors", {factors, 0}},
                         {"K", {4 * channels * kernels, row}},
                         {"U", {4 * channels * signals, 0}},
                         {"Y", {0, row}}});
}

int64_t deviceBytes(S4Rung rung, const S4Shape& s) {
    const int64_t row = saturatedProduct(4, saturatedProduct(s.channels, s.length));
    return saturatedSum(saturatedProduct(rung == S4Rung::Direct ? 3 : 2, row),
                        saturatedProduct(16, saturatedProduct(s.channels, s.states)));
}

} // namespace warplight::gpu
