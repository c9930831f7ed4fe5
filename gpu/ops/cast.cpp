// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/cast.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr uint32_t threads = 256;
constexpr int64_t warps = threads / 32, amaxOfBlock = 4096, castOfBlock = 4 * threads, transposedSide = 32;
constexpr int64_t wordBytes = sizeof(uint32_t);

std::string familyOfCast(Format to) { return number::bytes(to) == 1 ? "cast_f8" : "cast"; }

} // namespace

int architectureOfCast(Format to) {
    const int compiled = architectureOf(familyOfCast(to));
    return compiled > oldestGpu ? compiled : 0;
}

CastRun cast(KernelLibrary& library, Format to, int64_t count, const float* x, float factor,
             const LaunchOptions& options) {
    if (count < 0)
        throw InputError(fmt::format("cast: {} numbers, expected at least 0", count));
    Device& device = library.device();
    if (const std::string why = whyNotOn(device.architecture(), architectureOfCast(to), device.name()); !why.empty())
        throw InputError(fmt::format("cast to {}: {}", number::name(to), why));
    Launcher launcher(library, options);
    DeviceMatrix from(device, "x", 1, count, Format::F32), y(device, "y", 1, count, to),
        found(device, "found", 1, 1, Format::F32);
    from.upload(x, options.cancel);
    found.fill(0);
    if (count > 0)
        launcher.start(familyOfCast(to), "cast_" + number::name(to), {ceilDiv(count, castOfBlock)}, {threads}, 0,
                       {from.address(), y.address(), found.address(), factor, count});
    CastRun run{launcher.finish(), {}};
    run.y = y.download(options.cancel);
    run.found = found.download()[0] != 0;
    return run;
}

TensorTraffic castTraffic(Format to, int64_t count) {
    const auto numbers = static_cast<double>(count);
    return withoutEmpty({{"x", {4 * numbers, 0}}, {"y", {0, static_cast<double>(number::bytes(to)) * numbers}}});
}

int64_t castBytes(Format to, int64_t count) {
    return saturatedSum(saturatedProduct(4 + number::bytes(to), count), sizeof(float));
}

uint64_t launchAmax(Launcher& launcher, const std::vector<std::pair<uint64_t, int64_t>>& arrays) {
    const std::vector<uint32_t> zeros(arrays.size());
    const Buffer& amax = launcher.temporary(wordBytes * static_cast<int64_t>(arrays.size()), "amax");
    launcher.device().upload(amax.address(), zeros.data(), amax.bytes());
    for (size_t i = 0; i < arrays.size(); ++i)
        if (const auto& [x, count] = arrays[i]; count > 0)
            launcher.start("cast", "cast_amax", {ceilDiv(count, amaxOfBlock)}, {threads}, 0,
                           {x, amax.address() + i * sizeof(uint32_t), count});
    return amax.address();
}

void launchScaledCast(Launcher& launcher, Format to, uint64_t x, uint64_t y, uint64_t amax, int64_t count) {
    if (count > 0)
        launcher.start("cast_f8", "cast_scaled_" + number::name(to), {ceilDiv(count, castOfBlock)}, {threads}, 0,
                       {x, y, amax, count});
}

void launchTransposedCast(Launcher& launcher, Format to, uint64_t x, uint64_t y, uint64_t amax, int64_t rows,
                          int64_t columns) {
    launcher.start("cast_f8", "cast_transposed_" + number::name(to),
                   {ceilDiv(columns, transposedSide), ceilDiv(rows, transposedSide)}, {transposedSide, warps}, 0,
                   {x, y, amax, static_cast<int32_t>(rows), static_cast<int32_t>(columns)});
}

Traffic amaxTraffic(int64_t count) {
    const double bytes = wordBytes * warps * static_cast<double>(ceilDiv(count, amaxOfBlock)); // an atomic a warp
    return {bytes, bytes};
}

double scaleTraffic(int64_t count) { return wordBytes * static_cast<double>(ceilDiv(count, castOfBlock)); }

} // namespace warplight::gpu
