// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/gau.h"
#include "core/cpu/run.h"

#include <cstdint>

namespace warplight::cpu {

/// The rungs behind gau; the problem has been checked and has rows.
RunCost referenceGau(const GauProblem& problem, const RunOptions& options);
RunCost quadraticGau(const GauProblem& problem, const RunOptions& options);
RunCost tiledGau(const GauProblem& problem, const RunOptions& options);
RunCost chunkedGau(const GauProblem& problem, const RunOptions& options);

} // namespace warplight::cpu
