// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/causal_conv.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <fmt/format.h>

namespace warplight::gpu {
namespace {

constexpr int64_t tileSteps = 256, widest = 16, mostGrid = 65535;

bool isEmpty(const ConvShape& s) { return s.batch == 0 || s.length == 0; }

} // namespace

void checkShape(const ConvShape& s) {
    if (s.batch < 0 || s.length < 0 || s.dim < 1 || s.width < 1 || s.width > widest)
        throw InputError(
            fmt::format("causal convolution: batch {}, dim {}, length {} and width {}, expected at least 0, "
                        "1, 0 and 1 to {}",
                        s.batch, s.dim, s.length, s.width, widest));
    if (s.batch > mostGrid || s.dim > mostGrid || s.length > INT32_MAX - tileSteps)
        throw InputError(fmt::format("causal convolution: batch {}, dim {} and length {} are too many for one launch",
                                     s.batch, s.dim, s.length));
}

ConvRun causalConv(KernelLibrary& library, const ConvShape& s, const ConvTensors& t, const LaunchOptions& options) {
    checkShape(s);
    if (isEmpty(s))
        return {};
    Launcher launcher(library, options);
    std::deque<DeviceMatrix> held;
    const auto sent = [&](const char* name, const float* from, int64_t rows, int64_t columns) {
        DeviceMatrix& matrix = held.emplace_back(launcher.device(), name, rows, columns, number::Format::F32);
        matrix.upload(from, options.cancel);
        return matrix.address();
    };
    const int64_t channels = s.batch * s.dim;
    const uint64_t x = sent("x", t.x, channels, s.length), w = sent("weight", t.w, s.dim, s.width),
                   bias = s.bias ? sent("bias", t.bias, 1, s.dim) : 0;
    const DeviceMatrix y(launcher.device(), "y", channels, s.length, number::Format::F32);
    launcher.start("causal_conv", "causal_conv",
                   {ceilDiv(s.length, tileSteps), static_cast<uint32_t>(s.dim), static_cast<uint32_t>(s.batch)},
                   {static_cast<uint32_t>(tileSteps)}, 0,
                   {x, w, bias, y.address(), static_cast<int32_t>(s.dim), static_cast<int32_t>(s.length),
                    static_cast<int32_t>(s.width), int32_t{s.silu}});
    ConvRun run{launcher.finish(), {}};
    run.y = y.download(options.cancel);
    return run;
}

TensorTraffic algorithmicTraffic(const ConvShape& s) {
    if (isEmpty(s))
        return {};
    int64_t inputs = 0; // of a channel
    const int64_t tiles = ceilDiv(s.length, tileSteps);
    for (int64_t tile = 0; tile < tiles; ++tile)
        inputs += std::min(s.length, (tile + 1) * tileSteps) - std::max<int64_t>(0, tile * tileSteps - s.width + 1);
    const auto bytes = [channels = s.batch * s.dim](int64_t each) {
        return 4 * static_cast<double>(channels) * static_cast<double>(each);
    };
    return withoutEmpty({{"x", {bytes(inputs), 0}},
                         {"weight", {bytes(tiles * s.width), 0}},
                         {"bias", {s.bias ? bytes(tiles) : 0, 0}},
                         {"y", {0, bytes(s.length)}}});
}

int64_t deviceBytes(const ConvShape& s) {
    if (isEmpty(s))
        return 0;
    const int64_t rows = saturatedProduct(saturatedProduct(s.batch, s.dim), s.length);
    return saturatedProduct(4, saturatedSum(saturatedProduct(2, rows), s.dim * (s.width + (s.bias ? 1 : 0))));
}

} // namespace warplight::gpu
