// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

namespace warplight::labs {

/// Every lab of the program, and every operator.
void registerAll(lab::Registry& registry, workbench::Operators& operators);

} // namespace warplight::labs
