// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/small_float.h"

#include <cstdint>

namespace warplight::cpu {

struct CastKernels {
    /// y = factor · x, as the format keeps it; returns whether all of y is finite.
    bool (*cast)(const float* x, float* y, int64_t count, float factor, const SmallFloat& format);
};

/// The best for this machine, or what useTarget() chose.
const CastKernels& castKernels();

} // namespace warplight::cpu
