// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// y[r, i] = e^x[r, i] / Σ_j e^x[r, j] for each row, f32 (gpu/kernels/softmax.cu). A row that holds a NaN or +inf, or
/// nothing but -inf, is NaN as a whole.
struct SoftmaxShape {
    int64_t rows = 0, columns = 0;
};

/// NoMax takes no maximum off: rows beyond f32's range (x above 88.7, or Σ e^x above 3.4e38) become NaN and 0.
enum class SoftmaxRung { ThreePass, Online, NoMax };
std::string_view name(SoftmaxRung rung); ///< "three-pass", "online", "no-max"

/// Throws InputError for what the kernels cannot launch: negative sizes, or more than 2³¹ - 1 rows or columns.
void checkShape(const SoftmaxShape& shape);

/// Launches a rung on x and y [rows, columns] in device memory. Nothing is launched where there is nothing to do.
/// Throws as Launcher::start.
void launchSoftmax(Launcher& launcher, SoftmaxRung rung, const SoftmaxShape& shape, uint64_t x, uint64_t y);

struct SoftmaxRun : Launched {
    std::vector<float> y;
};
/// The same with the rows copied to the device and back; buffers are called x and y. Throws InputError for other
/// shapes, KernelError, Cancelled.
SoftmaxRun softmax(KernelLibrary& library, SoftmaxRung rung, const SoftmaxShape& shape, const float* x,
                   const LaunchOptions& options = {});

/// Each element once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const SoftmaxShape& shape);
/// What the loops of a rung ask memory for: x three times or twice.
TensorTraffic algorithmicTraffic(SoftmaxRung rung, const SoftmaxShape& shape);

/// Device memory of x and y; INT64_MAX when the size overflows.
int64_t deviceBytes(const SoftmaxShape& shape);

} // namespace warplight::gpu
