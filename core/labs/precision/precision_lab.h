// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace warplight::labs::precision {

/// Adds the pages of the Precision lab.
void registerLab(lab::Registry& registry);

std::unique_ptr<lab::Experiment> makeFormats();
std::unique_ptr<lab::Experiment> makeOverflow();
std::unique_ptr<lab::Experiment> makeTensors();
std::unique_ptr<lab::Experiment> makeSums();

/// Slots of the formats, "f16" and the others, and of the fields of their bits.
std::map<std::string, int64_t> formatColours();

} // namespace warplight::labs::precision
