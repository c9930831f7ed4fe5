// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"
#include "core/workbench/operator.h"
#include "gpu/ops/attention.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::attention {

/// O = softmax(scale · Q Kᵀ + mask) V, and its gradients. What each operator's numbers are called: batch, queryHeads,
/// keyHeads, queryLen, keyLen, headDim, scale, causal, and tile (of flash1 and flash2; 0: their own).
workbench::Operator attentionOperator();
workbench::Operator backwardOperator();
/// Softmax over visible blocks of scores alone; further numbers: blockSize, maskHeads, density in percent, pattern.
workbench::Operator blockSparseOperator();

/// The numbers of a problem of attention from those of the knobs: seqLen and heads stand for queries and keys alike.
void completeAttention(workbench::Problem& problem);
/// Its shape, with the pointers to Q, K, V, O and lse of `tensors` if there are any.
cpu::AttentionProblem cpuProblem(const workbench::Problem& problem, workbench::Tensors* tensors = nullptr);
/// O and lse of `tensors`; returns the bytes that were held beyond them.
int64_t computeForward(cpu::Implementation implementation, const workbench::Problem& problem,
                       workbench::Tensors& tensors, const cpu::RunOptions& options);
gpu::AttentionShape gpuShape(const workbench::Problem& problem);
gpu::AttentionShape gpuShape(const cpu::AttentionProblem& problem);
/// "N = 512 with 2 heads of 64 features"
std::string attentionInWords(const workbench::Problem& problem);

/// Knobs and tensors that attention's relatives have as well.
std::vector<workbench::Knob> attentionKnobs(workbench::Page page);
std::vector<workbench::TensorSpec> attentionTensors();
/// Of `compute`: causal and scale.
std::vector<lab::Parameter> attentionOptions();
/// Q, K and V of a user in two to four dimensions, BHND or BNHD, with grouped heads.
workbench::Arrangement attentionArrangement();
} // namespace warplight::labs::attention
