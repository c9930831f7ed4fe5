// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <vector>

namespace warplight::cli {

/// This machine as runs record it: no host name, no user name.
lab::Machine thisMachine();
std::vector<lab::DeviceInfo> devices();

} // namespace warplight::cli
