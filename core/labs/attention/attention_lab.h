// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

#include <memory>

namespace warplight::labs::attention {

/// Adds attention's operators, their pages, `attention.map` and `attention.tiles`.
void registerLab(lab::Registry& registry, workbench::Operators& operators);

std::unique_ptr<lab::Experiment> makeMap();
std::unique_ptr<lab::Experiment> makeTiles();

} // namespace warplight::labs::attention
