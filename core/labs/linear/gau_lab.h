// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/gau.h"
#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

#include <memory>

namespace warplight::labs::linear {

workbench::Operator gauOperator();
/// The pages GAU ledger and GAU training.
std::unique_ptr<lab::Experiment> makeLedger();
std::unique_ptr<lab::Experiment> makeGauTraining();

} // namespace warplight::labs::linear
