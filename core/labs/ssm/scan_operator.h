// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/scan/scan.h"
#include "core/workbench/operator.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::labs::ssm {

/// The linear scan of real numbers, of complex ones (pairs in the last axis), and the gradients of the first.
workbench::Operator scanOperator();
workbench::Operator complexScanOperator();
workbench::Operator scanBackwardOperator();

/// What these and the page about them share.
int scanColour(std::string_view rung);        ///< slot of the palette
void addScanBetween(workbench::Operator& op); ///< what the chunks of the GPU's kernels tell each other
cpu::ScanShape scanShape(const workbench::Problem& problem);
std::vector<workbench::Knob> scanKnobs(workbench::Page page);
std::string scanInWords(const workbench::Problem& problem);

/// Decays of the kinds that scans are fed with: between 0 and 1 ("decays"), close to 1 ("memory"), 0 and 1 alone
/// ("resets"), of both signs ("signed").
std::vector<lab::Parameter::Option> scanInputKinds();
/// A, B and h0, of complex numbers with A turned by a random angle. Throws InputError for a kind it does not know,
/// Cancelled.
void fillScan(const workbench::Problem& problem, const std::string& kind, uint64_t seed, workbench::Tensors& tensors,
              const std::atomic<bool>* cancel);

/// A and its relatives [..., length] become [channels, length] and back; numbers of `parts` stay together at the end.
workbench::Arrangement scanArrangement(int64_t parts);

} // namespace warplight::labs::ssm
