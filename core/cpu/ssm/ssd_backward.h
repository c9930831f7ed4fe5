// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/ssm/ssd.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

/// Gradients of Σ dY ∘ Y: dy like y, the others like what they are gradients of. da is that of the logarithms of the
/// decays; dinitial is null where the problem begins with nothing.
struct SsdGradients {
    const float* dy = nullptr;
    float *dx = nullptr, *da = nullptr, *db = nullptr, *dc = nullptr, *dinitial = nullptr;
};

std::span<const RungInfo<SsdRung>> ssdBackwardRungs(); ///< without Quadratic

/// Gradients of ssd's y from its inputs alone: `y` and `last` of `tensors` are not looked at. Those of b and c are sums
/// over the heads of a group, in their order. Where a decay is exactly 0 (its logarithm -inf), its gradient is 0: e^a
/// stays as it is around there; so is that of step 0 without an initial state, which acts on nothing. Bits, memory and
/// errors as ssd's; throws InputError for Quadratic.
RunCost ssdBackward(SsdRung rung, const SsdShape& shape, const SsdTensors& tensors, const SsdGradients& gradients,
                    const RunOptions& options = {});

/// What RunCost::extraBytes will be at most; INT64_MAX when the size overflows.
int64_t ssdBackwardBytesAtMost(SsdRung rung, const SsdShape& shape, int threads = 0);

/// 17 operations a number of the state and a step: 3 that take the state forwards, 3 that do so again, 3 that take its
/// gradient back, and 2 each for dX, da, dB and dC. Chunked: 10NP for states, their gradients and what is read from
/// these, 4NP/Q to pass both on, 2QP for dY Xᵀ and QP for dX a head and step; 2QN for C Bᵀ and 2QN for dB and dC a
/// group and step.
double ssdBackwardFlopsOf(SsdRung rung, const SsdShape& shape);

} // namespace warplight::cpu
