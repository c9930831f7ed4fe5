// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// HiPPO memories of many channels, c = Ā c + B̄ u, f32 (gpu/kernels/hippo.cu).
struct HippoShape {
    int64_t channels = 0, length = 0;
    int64_t state = 0; ///< n
    int64_t every = 0; ///< steps between the states that are kept; 0: the last alone
    int64_t kept = 1;  ///< states that are: after every `every` steps, and after the last
};

/// Dense multiplies by a matrix; Linear is the step of LegS in O(n).
enum class HippoRung { Dense, Linear };
std::string_view name(HippoRung rung); ///< "dense", "linear"

/// Throws InputError for what the kernels cannot launch: states beyond 512, of Linear 256, more than 2³⁰ steps or 2²⁰
/// channels, matrices of more than 2²⁸ numbers.
void checkShape(HippoRung rung, const HippoShape& shape, int64_t matrices = 0);

struct HippoRun : Launched {
    std::vector<float> coefficients; ///< [channels, kept, n]
};
/// `matrices` [1 or length, n + 1, n]: Ā transposed and B̄ below, for all steps or one each; u [channels, length].
/// Buffers are called matrices, U and coefficients. Throws InputError for other shapes, KernelError, Cancelled.
HippoRun hippoDense(KernelLibrary& library, const HippoShape& shape, const std::vector<float>& matrices, const float* u,
                    const LaunchOptions& options = {});
/// LegS with Δ = 1 / (k + 1): c = (I - behind Δ A)⁻¹ (c + ahead Δ A c + Δ B u). Forward Euler has ahead = 1, behind =
/// 0, backward Euler 0 and 1, the bilinear rule 1/2 twice.
HippoRun hippoLinear(KernelLibrary& library, const HippoShape& shape, float ahead, float behind, const float* u,
                     const LaunchOptions& options = {});

/// What the loops of a rung ask memory for.
TensorTraffic algorithmicTraffic(HippoRung rung, const HippoShape& shape);
/// Device memory of all buffers; INT64_MAX when the size overflows.
int64_t deviceBytes(HippoRung rung, const HippoShape& shape, int64_t matrices);
/// Shared memory of a block.
int64_t sharedBytes(HippoRung rung, const HippoShape& shape);

} // namespace warplight::gpu
