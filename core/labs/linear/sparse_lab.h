// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

#include <memory>

namespace warplight::labs::linear {

/// Softmax over the keys that a pattern lets a query see. Numbers beside attention's: pattern (its place among
/// sparse::kinds()), those of sparse::fields(), and maskRows, maskColumns of a user's own mask (0: none).
workbench::Operator sparseAttentionOperator();

/// Attention through few keys or queries. Numbers beside attention's, which is never causal: method (its place among
/// sparse::lowRankMethods()), rank, seed, projectionGiven, projectionRows and projectionColumns of E and F.
workbench::Operator lowRankAttentionOperator();

/// The page Patterns.
std::unique_ptr<lab::Experiment> makePatterns();

} // namespace warplight::labs::linear
