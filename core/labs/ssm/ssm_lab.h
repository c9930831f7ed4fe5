// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

namespace warplight::labs::ssm {

/// Adds the operators of state space models, each with its pages, and the pages about them.
void registerLab(lab::Registry& registry, workbench::Operators& operators);

} // namespace warplight::labs::ssm
