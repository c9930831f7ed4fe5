// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/attention.h"

#include <string_view>
#include <vector>

namespace warplight::gpu {

enum class BackwardRung { Standard, Flash2 };
std::string_view name(BackwardRung rung); ///< "standard-bwd", "flash2-bwd"

struct AttentionGradients : Launched {
    std::vector<float> dq, dk, dv; ///< like q, k, v
};

/// Gradients of Σ dOut ∘ O in f32, from the forward pass's O and log-sum-exp. headDim up to 256. Throws as
/// attentionForward.
AttentionGradients attentionBackward(KernelLibrary& library, BackwardRung rung, const AttentionShape& shape,
                                     const float* q, const float* k, const float* v, const float* o, const float* lse,
                                     const float* dOut, const LaunchOptions& options = {});

} // namespace warplight::gpu
