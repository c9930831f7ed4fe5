// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

#include <memory>

namespace warplight::labs {

/// Adds the pages of attention's operators, `attention.map` and `attention.tiles`; the operators alone.
void registerAttentionLab(lab::Registry& registry);
void registerAttentionOperators(workbench::Operators& operators);

std::unique_ptr<lab::Experiment> makeMap();
std::unique_ptr<lab::Experiment> makeTiles();

} // namespace warplight::labs
