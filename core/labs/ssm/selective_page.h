// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"
#include "core/labs/ssm/implied_map.h"
#include "core/labs/ssm/selective_story.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::ssm {

/// Page ssm.selective: Δ, B, C, states and output on one axis of time; why a token was kept; the implied map.
std::unique_ptr<lab::Experiment> makeSelective();

/// Its figures.
namespace selective {

constexpr int64_t shownColumns = 256; ///< of strips: longer sequences are averaged over neighbours

/// Δ, B, C, the states and y of a channel under each other.
lab::Figure strips(const SelectiveStory& story, int64_t channel, const std::vector<float>& states,
                   const std::vector<float>& y);
/// The states of a channel as a map whose tokens can be selected.
lab::Figure raster(const SelectiveStory& story, const std::vector<float>& states);
/// Which token of a raster's column is meant.
int64_t tokenOf(const SelectiveStory& story, int64_t column);
lab::Figure mapFigure(lab::Run& run, const ImpliedMap& map, bool logarithmic);
/// What is left of a token in each state from its step on, and its weight in what later steps read.
void putKept(lab::Run& run, const SelectiveStory& story, const ImpliedMap& map, int64_t channel, int64_t token);
/// Colour keys of the states whose curves putKept draws.
std::map<std::string, int64_t> colours();

} // namespace selective
} // namespace warplight::labs::ssm
