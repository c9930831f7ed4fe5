// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

namespace warplight::labs::linear {

/// Adds linear, sparse and low-rank attention and gated attention units, each with its pages, and the pages about all
/// of them. Exact attention joins where `operators` has it.
void registerLab(lab::Registry& registry, workbench::Operators& operators);

} // namespace warplight::labs::linear
