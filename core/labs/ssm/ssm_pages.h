// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <memory>

namespace warplight::labs::ssm {

std::unique_ptr<lab::Experiment> makeMemory();
std::unique_ptr<lab::Experiment> makeMatrices();
std::unique_ptr<lab::Experiment> makeScans();
std::unique_ptr<lab::Experiment> makeSelective();
std::unique_ptr<lab::Experiment> makeStateCache();

} // namespace warplight::labs::ssm
