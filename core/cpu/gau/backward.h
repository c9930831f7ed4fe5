// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/mixing.h"

#include <cstdint>

namespace warplight::cpu {

/// The gradients of a mixing M = A V without gate and without chunks, given that of M. Those of gamma and beta are set,
/// not added to.
struct GauGradients {
    const float* dm = nullptr;                 ///< [batch, length, expanded]
    float* dv = nullptr;                       ///< as dm
    float* dz = nullptr;                       ///< [batch, length, shared]
    float *dGamma = nullptr, *dBeta = nullptr; ///< [2, shared]
};

/// For the squared-relu functions: A = R² gives dS = dA ∘ 2R. Keeps A of one sequence a thread in memory. The result
/// has the same bits for any number of threads. Throws InputError for another function or for chunks; Cancelled.
RunCost gauBackward(const GauMixing& mixing, const GauGradients& gradients, const RunOptions& options);
/// What RunCost::extraBytes will be at most.
int64_t gauBackwardBytesAtMost(const GauShape& shape, int threads);

} // namespace warplight::cpu
