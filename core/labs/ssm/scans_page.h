// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <memory>

namespace warplight::labs::ssm {

/// The page Scan algorithms.
std::unique_ptr<lab::Experiment> makeScans();

} // namespace warplight::labs::ssm
