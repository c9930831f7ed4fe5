// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/cpu/ssm/recurrence.h"

#include <cstdint>

namespace warplight::cpu {

/// The linear recurrent unit (Orvieto et al. 2023): x_t = λ x_{t-1} + γ u_t of complex channels, from x = 0, with
/// λ = e^(-e^ν + i e^θ), which never leaves the unit circle, and γ = √(1 - |λ|²).
struct LruShape {
    int64_t batch = 1, length = 0, channels = 0;
};

/// Row-major and contiguous; complex numbers are pairs of a real and an imaginary part.
struct LruTensors {
    const float* u = nullptr;                    ///< [batch, length, channels, 2]
    const float *nu = nullptr, *theta = nullptr; ///< [channels]
    float* states = nullptr;                     ///< x_t, [batch, length, channels, 2]
};

struct LruCoefficients {
    double re, im, gamma; ///< of λ, and γ
};
LruCoefficients lruCoefficients(double nu, double theta);

/// Throws InputError, one sentence, for shapes that there are none of.
void checkShape(const LruShape& shape);

/// Runs one rung. λ and γ are worked out in double precision. What is no number stays in its channel. The result is
/// bitwise the same for any number of threads. Throws InputError, Cancelled, std::bad_alloc.
RunCost lru(RecurrenceRung rung, const LruShape& shape, const LruTensors& tensors, const RunOptions& options = {});

/// What RunCost::extraBytes will be at most.
int64_t extraBytesAtMost(RecurrenceRung rung, const LruShape& shape, int threads = 0);

/// Ten a step and channel: a complex product, one with a number, and a sum.
double flopsOf(const LruShape& shape);

} // namespace warplight::cpu
