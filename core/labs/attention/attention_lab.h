#pragma once

#include "core/lab/experiment.h"

#include <memory>

namespace warplight::labs {

/// Adds `attention.race`, `attention.map`, `attention.tiles`, `attention.traffic` and `attention.accuracy`.
void registerAttentionLab(lab::Registry& registry);

std::unique_ptr<lab::Experiment> makeRace();
std::unique_ptr<lab::Experiment> makeMap();
std::unique_ptr<lab::Experiment> makeTiles();
std::unique_ptr<lab::Experiment> makeTraffic();
std::unique_ptr<lab::Experiment> makeAccuracy();

} // namespace warplight::labs
