// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <memory>

namespace warplight::labs::inspector {

/// Adds `inspect.kernel` and `inspect.occupancy`.
void registerLab(lab::Registry& registry);

std::unique_ptr<lab::Experiment> makeKernelInspector();
std::unique_ptr<lab::Experiment> makeOccupancy();

} // namespace warplight::labs::inspector
