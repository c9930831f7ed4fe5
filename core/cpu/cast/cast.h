// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "gpu/number/format.h"

#include <cstdint>

namespace warplight::cpu {

/// y = factor · x, a product of f32, as a smaller format keeps it, to nearest, ties to even; as f32 numbers. What a
/// loss scaler does when it takes its scale off the gradients, with factor = 1 / scale.
struct CastProblem {
    int64_t count = 0;
    const float* x = nullptr;
    float* y = nullptr;
    float* found = nullptr; ///< becomes 1 if a number of y is not finite, else 0
    float factor = 1;
};

/// Unrounded in f64 and then to f32; to f16 number by number; by vectors to f16, bf16, e4m3 or e5m2.
enum class CastRung { Reference, Plain, Vectorised };

/// Numbers beyond the range become infinite in f16 and bf16, the largest number in e4m3 and e5m2 (as GPUs cast);
/// infinity stays one, in e4m3 NaN. `to` is f16 for Plain, and nothing to Reference. The result is bitwise the same for
/// any number of threads. Throws InputError for a negative count, Cancelled.
RunCost cast(CastRung rung, number::Format to, const CastProblem& problem, const RunOptions& options = {});

} // namespace warplight::cpu
