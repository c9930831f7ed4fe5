// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"
#include "gpu/ops/adamw_step.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <vector>

namespace warplight::gpu {

struct AdamwRun : Launched {
    std::vector<float> w, m, v; ///< behind the step
    std::vector<float> copy;    ///< of the weights, rounded to the gradients' format
};
/// One step on f32 weights and moments with gradients of f32, f16 or bf16, copied to the device and back; buffers are
/// called w, g, m, v and copy. f32 writes no copy: its weights are the copy. Throws InputError for a negative count,
/// another format and as checkStep, and as Launcher::start.
AdamwRun adamw(KernelLibrary& library, number::Format gradients, int64_t count, const float* w, const float* g,
               const float* m, const float* v, const AdamwStep& step, const LaunchOptions& options = {});

/// What the loop asks memory for, 28 bytes a parameter whatever the format: w, m and v read and written, g read, and a
/// copy written beside gradients of 16 bits.
TensorTraffic adamwTraffic(number::Format gradients, int64_t count);
/// Device memory of these; INT64_MAX when the size overflows.
int64_t adamwBytes(number::Format gradients, int64_t count);

} // namespace warplight::gpu
