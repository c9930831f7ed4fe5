// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/ssm/selective_scan.h"
#include "core/workbench/operator.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::labs::ssm {

/// Mamba's selective scan. Its numbers: batch, dim, len, state, groups; delta-softplus; and whether optional tensors
/// are there: gate (z), skip (D), bias (delta-bias), first (the state before the first step). From these come the
/// extents gateDim, skipDim, biasDim and firstBatch, which are 0 where a tensor is not there.
workbench::Operator selectiveScanOperator();
/// Its gradients.
workbench::Operator selectiveScanBackwardOperator();
/// Its rungs on a GPU.
std::vector<workbench::Implementation> selectiveGpuRungs();
/// Its gradients on a GPU.
workbench::Implementation selectiveBackwardOnGpu();
/// Slot of the palette.
int selectiveColour(std::string_view rung);

cpu::SelectiveShape selectiveShape(const workbench::Problem& problem);
/// Pointers into the tensors of an operator; null for those that are empty.
cpu::SelectiveTensors<float> selectiveTensors(workbench::Tensors& tensors);
/// The numbers that follow from others, and those that were not given. Throws InputError for what there is not.
void completeSelective(workbench::Problem& problem);
/// "L = 2048 of 1536 channels with 16 states, gated"
std::string selectiveInWords(const workbench::Problem& problem);

std::vector<workbench::Knob> selectiveKnobs(workbench::Page page);
std::vector<workbench::TensorSpec> selectiveTensorSpecs();
/// A user's tensors, in the shapes of mamba_ssm.
workbench::Arrangement selectiveArrangement();

std::vector<lab::Parameter::Option> selectiveInputKinds();
void fillSelective(const workbench::Problem& problem, const std::string& kind, uint64_t seed,
                   workbench::Tensors& tensors, const std::atomic<bool>* cancel);

} // namespace warplight::labs::ssm
