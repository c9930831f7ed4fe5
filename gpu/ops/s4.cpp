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

/// Numbers of a transform: nothing may come around.
int64_t transformed(const S4Shape& s) {
    return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(2 * std::max<int64_t>(1, s.length))));
}

/// Y of K and U by products of spectra.
void convolveBySpectra(Launcher& launcher, const S4Shape& s, uint64_t k, uint64_t u, uint64_t y) {
    FourierLibrary* library = launcher.device().fourierLibrary();
    if (!library)
        throw InputError(fmt::format("s4: cufft runs on an NVIDIA GPU beside which cuFFT is found, not on {}",
                                     launcher.device().name()));
    const int64_t n = transformed(s), row = n + 2, frequencies = n / 2 + 1;
    constexpr uint32_t threads = 256;
    const auto over = [&](int64_t numbers) {
        return Extent{ceilDiv(numbers, threads), static_cast<uint32_t>(s.channels)};
    };
    const auto length = static_cast<int32_t>(s.length), padded = static_cast<int32_t>(row);
    const uint64_t ofK = launcher.temporary(4 * s.channels * row, "padded").address(),
                   ofU = launcher.temporary(4 * s.channels * row, "padded").address();
    const auto forward = library->plan({s.channels, n, true}), back = library->plan({s.channels, n, false});
    const int64_t work = std::max({forward->workBytes(), back->workBytes(), int64_t{4}});
    const uint64_t area = launcher.temporary(work, "work area").address();
    launcher.start("s4", "s4_pad", over(row), {threads}, 0, {k, ofK, length, padded});
    launcher.start("s4", "s4_pad", over(row), {threads}, 0, {u, ofU, length, padded});
    launcher.transform(forward, ofK, area, "spectra of K");
    launcher.transform(forward, ofU, area, "spectra of U");
    launcher.start("s4", "s4_spectra", over(frequencies), {threads}, 0,
                   {ofK, ofU, static_cast<int32_t>(frequencies), 1 / static_cast<float>(n)});
    launcher.transform(back, ofU, area, "Y of its spectra");
    launcher.start("s4", "s4_crop", over(s.length), {threads}, 0, {ofU, y, length, padded});
}

} // namespace

std::string_view name(S4Rung rung) {
    return rung == S4Rung::Recurrent ? "recurrent" : rung == S4Rung::Direct ? "direct" : "cufft";
}

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
            if (rung == S4Rung::Cufft)
                convolveBySpectra(launcher, s, kernel, in.address(), out.address());
            else
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
    if (s.length == 0 || rung == S4Rung::Cufft)
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
    const int64_t row = saturatedProduct(4, saturatedProduct(s.channels, s.length)),
                  tensors = saturatedSum(saturatedProduct(rung == S4Rung::Recurrent ? 2 : 3, row),
                                         saturatedProduct(16, saturatedProduct(s.channels, s.states)));
    return rung != S4Rung::Cufft ? tensors
                                 : saturatedSum(tensors, saturatedProduct(8 * s.channels, transformed(s) + 2));
}

} // namespace warplight::gpu
