// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/gau.h"
#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

#include <memory>

namespace warplight::labs::linear {

/// Adds the operator gau with its pages, and the pages about it.
void registerGau(lab::Registry& registry, workbench::Operators& operators);

workbench::Operator gauOperator();
std::unique_ptr<lab::Experiment> makeLedger();
std::unique_ptr<lab::Experiment> makeGauTraining();

} // namespace warplight::labs::linear
