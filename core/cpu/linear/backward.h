// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/linear/linear_attention.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace warplight::cpu {

/// Gradients of Σ dO ∘ O: dO [batch, heads, queryLen, valueDim] given, the others like Q, K and V.
template <class T>
struct LinearGradients {
    const T* dOut = nullptr;
    T *dq = nullptr, *dk = nullptr, *dv = nullptr;
};

std::span<const RungInfo<LinearForm>> linearBackwardForms(); ///< without Cumsum

/// Gradients of linearAttention's O for rule add, from Q, K and V of `tensors` alone. A kink of relu at 0 has the slope
/// 1. Bits, memory and errors as linearAttention's; throws InputError for other rules.
RunCost linearAttentionBackward(LinearForm form, const LinearShape& shape, const LinearTensors<float>& tensors,
                                const LinearGradients<float>& gradients, const RunOptions& options = {});
RunCost linearAttentionBackward(LinearForm form, const LinearShape& shape, const LinearTensors<double>& tensors,
                                const LinearGradients<double>& gradients, const RunOptions& options = {});
void checkBackwardShape(const LinearShape& shape); ///< throws InputError for what there is not

int64_t backwardBytesAtMost(LinearForm form, const LinearShape& shape, int threads = 0);
/// Four sums like that of the forward pass.
double backwardFlopsOf(LinearForm form, const LinearShape& shape);

} // namespace warplight::cpu
