// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "gpu/number/format.h"
#include "gpu/ops/adamw_step.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

/// Weights w, gradients g and moments m and v become those behind a step; `copy` is the new weights as `copied` keeps
/// them, as f32 numbers.
struct AdamwProblem {
    int64_t count = 0;
    const float *w = nullptr, *g = nullptr, *m = nullptr, *v = nullptr;
    float *wNew = nullptr, *mNew = nullptr, *vNew = nullptr, *copy = nullptr;
    number::Format copied = number::Format::F32;
    gpu::AdamwStep step;
};

/// The rungs of the ladder, slowest first.
enum class AdamwRung { Reference, Plain, Vectorised };

/// "reference", "plain", "vectorised", in ladder order. Valid for the whole life of the program.
std::span<const RungInfo<AdamwRung>> adamwRungs();

/// One step. The result is bitwise the same for any number of threads. Throws InputError for a negative count, a step
/// below 1 and betas that are not within 0 and 1; Cancelled.
RunCost adamw(AdamwRung rung, const AdamwProblem& problem, const RunOptions& options = {});

/// Useful floating-point operations: 15 a parameter.
double adamwFlops(int64_t count);

} // namespace warplight::cpu
