// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/lab/parameter.h"
#include "core/sparse/blocked_mask.h"
#include "core/workbench/operator.h"

#include <memory>
#include <vector>

namespace warplight::labs::linear {

/// All patterns, by position as sparse::kinds() has them, or those that need no mask of a user's own.
lab::Parameter patternParameter(bool withBitmap);
/// A parameter for a field of sparse::Parameters.
lab::Parameter fieldParameter(const sparse::Field& field);

/// The numbers of a problem of sparse attention that are not there yet. Throws InputError for those that are wrong.
void completeSparse(workbench::Problem& problem);
sparse::Parameters parametersOf(const workbench::Problem& problem);
const sparse::KindInfo& kindOf(const workbench::Problem& problem);

/// What a pattern keeps of a problem, over all heads and batch entries; where it follows from Q and K, as far as the
/// problem alone can say: exactly for top-k, what buckets by chance would keep for LSH, all for a user's mask.
double pairsOf(const workbench::Problem& problem);
/// The blocks of a pattern of positions; of others all, as parts. The last ones are kept.
sparse::BlockCounts blockCounts(const workbench::Problem& problem);
/// The mask, of a pattern of positions or of these tensors. The last of a pattern of positions is kept.
std::shared_ptr<const sparse::BlockedMask>
blockedMask(const workbench::Problem& problem, const workbench::Tensors& tensors, const cpu::RunOptions& options);

} // namespace warplight::labs::linear
