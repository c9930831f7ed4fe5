// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/ssm/ssd.h"
#include "core/workbench/operator.h"
#include "gpu/ops/ssd.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::labs::ssm {

/// Mamba-2's SSD. Its numbers: batch, seqLen, heads, groups (of B and C), headDim (P), stateDim (N), chunk, begins
/// (with a state that is given); from these initialBatch, which is 0 where it begins with nothing.
workbench::Operator ssdOperator();
/// Its gradients, of the same numbers.
workbench::Operator ssdBackwardOperator();
/// Its rungs on a GPU.
std::vector<workbench::Implementation> ssdGpuRungs();
/// Slot of the palette.
int ssdColour(std::string_view rung);

/// The shape of a problem whose numbers are complete.
cpu::SsdShape ssdShape(const workbench::Problem& problem);
gpu::SsdShape ssdGpuShape(const workbench::Problem& problem);
/// X, A, B and C of a user: [batch, length, heads, P] down to [length, P], with or without groups.
workbench::Arrangement ssdArrangement();

/// Kinds of made-up inputs, and their numbers.
std::vector<lab::Parameter::Option> ssdInputKinds();
void fillSsd(const workbench::Problem& problem, const std::string& kind, uint64_t seed, workbench::Tensors& tensors,
             const std::atomic<bool>* cancel);

} // namespace warplight::labs::ssm
