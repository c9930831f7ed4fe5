// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace warplight::labs::precision {

/// Adds all of its pages: those of registerPages and registerLogs.
void registerLab(lab::Registry& registry);
void registerPages(lab::Registry& registry);
/// Adds `precision.scaler-log`. Apart, since a file that is dropped elsewhere opens in the first page that takes its
/// ending, and what ends in .log or .txt is of nccl-tests first.
void registerLogs(lab::Registry& registry);

std::unique_ptr<lab::Experiment> makeFormats();
std::unique_ptr<lab::Experiment> makeOverflow();
std::unique_ptr<lab::Experiment> makeTensors();
std::unique_ptr<lab::Experiment> makeSums();
std::unique_ptr<lab::Experiment> makeScalerGame();
std::unique_ptr<lab::Experiment> makeScalerLog();
std::unique_ptr<lab::Experiment> makeTraining();
std::unique_ptr<lab::Experiment> makeGradients();

/// Slots of the formats, "f16" and the others, and of the fields of their bits.
std::map<std::string, int64_t> formatColours();
/// Of loss scalers: "scaler.yours", "scaler.pytorch", "scaler.static", "scaler.best", "scaler.skipped", and
/// "scaler.0" to "scaler.7" for those of a log.
std::map<std::string, int64_t> scalerColours();

} // namespace warplight::labs::precision
