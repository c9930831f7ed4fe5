// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

namespace warplight::labs::tools {

/// Adds `tools.devices`: what there is to run on, and what is missing and why.
void registerLab(lab::Registry& registry);

} // namespace warplight::labs::tools
