// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

namespace warplight::labs::linear {

/// Adds the operator of linear attention and its pages.
void registerLab(lab::Registry& registry, workbench::Operators& operators);

} // namespace warplight::labs::linear
