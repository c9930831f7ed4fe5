// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"
#include "core/lab/parameter.h"

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

namespace warplight::labs::attention {

/// The tensors of one problem, owned. Copies would point into the original: not copyable.
struct AttentionInputs {
    cpu::AttentionProblem problem; ///< points into the vectors below
    std::vector<float> q, k, v, o, lse;

    AttentionInputs() = default;
    AttentionInputs(AttentionInputs&&) = default; ///< vectors keep their memory when moved
    AttentionInputs& operator=(AttentionInputs&&) = default;
};

/// Kinds of made-up inputs: "gaussian", and the adversarial ones of inputKinds().
std::vector<lab::Parameter::Option> inputKinds();

/// Fills Q, K and V, zero at first, of the problem's shape. Throws InputError for an unknown kind, Cancelled.
void fillInputs(const cpu::AttentionProblem& shape, std::string_view kind, uint64_t seed, std::vector<float>& q,
                std::vector<float>& k, std::vector<float>& v, const std::atomic<bool>* cancel = nullptr);

/// Q, K, V of the problem's shape, the same for a seed on every machine. Throws InputError for an unknown kind,
/// Cancelled.
AttentionInputs makeInputs(cpu::AttentionProblem shape, std::string_view kind, uint64_t seed,
                           const std::atomic<bool>* cancel = nullptr);
/// What they hold, with O and the log-sum-exp.
int64_t inputBytes(const cpu::AttentionProblem& shape);

} // namespace warplight::labs::attention
