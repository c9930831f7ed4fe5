// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/gau.h"
#include "core/lab/experiment.h"
#include "core/workbench/operator.h"

#include <memory>
#include <string_view>
#include <vector>

namespace warplight::labs::linear {

workbench::Operator gauOperator();
/// Its rungs on a GPU.
std::vector<workbench::Implementation> gauGpuRungs();
/// The shape of a problem whose numbers are complete.
cpu::GauShape gauShape(const workbench::Problem& problem);
/// Slot of the palette of a rung.
int gauColour(std::string_view rung);
/// The pages GAU ledger and GAU training.
std::unique_ptr<lab::Experiment> makeLedger();
std::unique_ptr<lab::Experiment> makeGauTraining();

} // namespace warplight::labs::linear
