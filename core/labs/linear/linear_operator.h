// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/linear/linear_attention.h"
#include "core/workbench/operator.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::linear {

/// o_t = φ(q_t)ᵀ S_t. Its numbers: batch, heads, queryLen, keyLen (seqLen stands for both), headDim, valueDim,
/// featureMap and rule (by position in cpu::featureMaps and linearRules), causal, normalise, scale (none: the map's
/// own), features, orthogonal and seed (of favor), chunk; from these featureDim, decayLen and decayDim, betaLen, which
/// are 0 where a rule has no decay or beta.
workbench::Operator linearOperator();
/// Its gradients for rule add.
workbench::Operator linearBackwardOperator();
/// Slot of the palette.
int colourOf(cpu::LinearForm form);

/// Its rungs on a GPU.
std::vector<workbench::Implementation> linearGpuRungs();

/// The shape of a problem whose numbers are complete.
cpu::LinearShape linearShape(const workbench::Problem& problem);
/// Pointers into the tensors of an operator: Q, K, V, decay, beta, O, state, z.
cpu::LinearTensors<float> linearTensors(workbench::Tensors& tensors);
/// The numbers that follow from others, and those that were not given. Throws InputError for what there is not.
void completeLinear(workbench::Problem& problem);
/// "N = 512 with 2 heads of 64 features, elu1, add"
std::string linearInWords(const workbench::Problem& problem);

/// Knobs and tensors of linear attention and its relatives.
std::vector<workbench::Knob> linearKnobs(workbench::Page page);
std::vector<workbench::TensorSpec> linearTensorSpecs();
/// Of `compute`.
std::vector<lab::Parameter> linearOptions();
/// Q, K, V, decay and beta of a user in two to four dimensions, BHND or BNHD.
workbench::Arrangement linearArrangement();

/// Kinds of made-up inputs, and their numbers: decays between 0.9 and 1, and betas that keep the delta rule from
/// growing without bound whatever φ is.
std::vector<lab::Parameter::Option> linearInputKinds();
void fillLinear(const workbench::Problem& problem, const std::string& kind, uint64_t seed, workbench::Tensors& tensors,
                const std::atomic<bool>* cancel);

} // namespace warplight::labs::linear
