// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <memory>

namespace warplight::labs::ssm {

/// Page ssm.state-cache: what a state space model keeps of a sequence, and attention, and one decode step of each.
std::unique_ptr<lab::Experiment> makeStateCache();

} // namespace warplight::labs::ssm
