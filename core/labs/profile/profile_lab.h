// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <memory>

namespace warplight::labs::profile {

/// Adds `profile.open`.
void registerLab(lab::Registry& registry);

std::unique_ptr<lab::Experiment> makeOpenProfile();

} // namespace warplight::labs::profile
