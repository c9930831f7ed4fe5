// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/workbench/page.h"

#include <memory>

namespace warplight::labs::linear {

std::unique_ptr<lab::Experiment> makeOrder();
std::unique_ptr<lab::Experiment> makeMaps();
std::unique_ptr<lab::Experiment> makeState();
std::unique_ptr<lab::Experiment> makeForms();
std::unique_ptr<lab::Experiment> makeRecall();
/// All methods of these operators on the same inputs (pareto_methods.h).
std::unique_ptr<lab::Experiment> makePareto(workbench::OperatorList operators);

} // namespace warplight::labs::linear
