// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/matmul/matmul.h"
#include "core/cpu/run.h"

#include <cstdint>

namespace warplight::cpu {

/// The rungs behind matmul; the problem has been checked and has a result.
RunCost referenceMatmul(const MatmulProblem& problem, const RunOptions& options);
RunCost naiveMatmul(const MatmulProblem& problem, const RunOptions& options);
RunCost blockedMatmul(const MatmulProblem& problem, const RunOptions& options);
RunCost packedMatmul(const MatmulProblem& problem, const RunOptions& options);

/// What blockedMatmul and packedMatmul take at most.
int64_t blockedBytesAtMost(const MatmulProblem& problem, int threads);
int64_t packedBytesAtMost(const MatmulProblem& problem, int threads);

} // namespace warplight::cpu
