// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"
#include "core/cpu/run.h"

#include <cstdint>

namespace warplight::model {

/// Rows of features against heads: [batch · length, heads · size] against [batch, heads, length, size].
struct Heads {
    int64_t batch, length, heads, size;
    int64_t features() const { return heads * size; }
};

/// Rows of q, k and v beside each other, [rows, 3 · features], and the bias of them, into three tensors of heads.
void splitHeads(const Heads& h, const float* rows, const float* bias, float* q, float* k, float* v,
                const cpu::RunOptions& options);
/// The way back of their gradients.
void joinHeads(const Heads& h, const float* q, const float* k, const float* v, float* rows,
               const cpu::RunOptions& options);
/// One tensor of heads as rows of features, and rows as heads.
void mergeHeads(const Heads& h, const float* heads, float* rows, const cpu::RunOptions& options);
void spreadHeads(const Heads& h, const float* rows, float* heads, const cpu::RunOptions& options);

/// Causal attention of heads over themselves, as GPT-2 scales it.
cpu::AttentionProblem attentionOf(const Heads& h, const float* q, const float* k, const float* v, float* o, float* lse);

} // namespace warplight::model
