// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/softmax.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/format.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::gpu {
namespace {

constexpr int64_t mostThreads = 256;

double elements(const SoftmaxShape& s) { return static_cast<double>(s.rows) * static_cast<double>(s.columns); }

TensorTraffic timesRead(const SoftmaxShape& shape, double times) {
    return withoutEmpty({{"x", {4 * times * elements(shape), 0}}, {"y", {0, 4 * elements(shape)}}});
}

} // namespace

std::string_view name(SoftmaxRung rung) {
    return rung == SoftmaxRung::ThreePass ? "three-pass" : rung == SoftmaxRung::Online ? "online" : "no-max";
}

void checkShape(const SoftmaxShape& s) {
    if (s.rows < 0 || s.columns < 0 || s.rows > INT32_MAX || s.columns > INT32_MAX)
        throw InputError(
            fmt::format("softmax: {} rows of {} columns, expected 0 to {} of each", s.rows, s.columns, INT32_MAX));
}

void launchSoftmax(Launcher& launcher, SoftmaxRung rung, const SoftmaxShape& shape, uint64_t x, uint64_t y) {
    checkShape(shape);
    if (shape.rows == 0 || shape.columns == 0)
        return;
    const int64_t threads = std::min<int64_t>(mostThreads, 32 * ceilDiv(shape.columns, 32)); // a short row's are few
    const char* kernel = rung == SoftmaxRung::ThreePass ? "softmax_3pass"
                         : rung == SoftmaxRung::Online  ? "softmax_online"
                                                        : "softmax_nomax";
    launcher.start("softmax", kernel, {static_cast<uint32_t>(shape.rows)}, {static_cast<uint32_t>(threads)}, 0,
                   {x, y, static_cast<int32_t>(shape.columns)});
}

SoftmaxRun softmax(KernelLibrary& library, SoftmaxRung rung, const SoftmaxShape& shape, const float* x,
                   const LaunchOptions& options) {
    checkShape(shape);
    Launcher launcher(library, options);
    DeviceMatrix in(launcher.device(), "x", shape.rows, shape.columns, number::Format::F32),
        out(launcher.device(), "y", shape.rows, shape.columns, number::Format::F32);
    in.upload(x, options.cancel);
    launchSoftmax(launcher, rung, shape, in.address(), out.address());
    SoftmaxRun run{launcher.finish(), {}};
    run.y = out.download(options.cancel);
    return run;
}

TensorTraffic compulsoryTraffic(const SoftmaxShape& shape) { return timesRead(shape, 1); }

TensorTraffic algorithmicTraffic(SoftmaxRung rung, const SoftmaxShape& shape) {
    return timesRead(shape, rung == SoftmaxRung::ThreePass ? 3 : 2);
}

int64_t deviceBytes(const SoftmaxShape& s) { return saturatedProduct(8, saturatedProduct(s.rows, s.columns)); }

} // namespace warplight::gpu
