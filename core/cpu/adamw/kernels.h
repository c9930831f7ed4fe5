// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/adamw/adamw.h"
#include "core/cpu/small_float.h"

#include <cstdint>

namespace warplight::cpu {

struct AdamwKernels {
    /// Parameters from `begin` up to `end`; `copied`: null where the copy is the weights themselves.
    void (*step)(const AdamwProblem& problem, const gpu::AdamwConstants<float>& constants, const SmallFloat* copied,
                 int64_t begin, int64_t end);
};

/// The best for this machine, or what useTarget() chose.
const AdamwKernels& adamwKernels();

} // namespace warplight::cpu
