// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <memory>

namespace warplight::labs::allreduce {

/// Adds `allreduce.steps`, `allreduce.race`, `allreduce.scale`, `allreduce.links`, `allreduce.overlap` and
/// `allreduce.numbers`.
void registerLab(lab::Registry& registry);

std::unique_ptr<lab::Experiment> makeSteps();
std::unique_ptr<lab::Experiment> makeCollectiveRace();
std::unique_ptr<lab::Experiment> makeScale();
std::unique_ptr<lab::Experiment> makeLinks();
std::unique_ptr<lab::Experiment> makeOverlap();
std::unique_ptr<lab::Experiment> makeNumbers();

} // namespace warplight::labs::allreduce
