// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/cast.h"

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

} // namespace

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
