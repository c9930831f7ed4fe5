// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/labs/linear/memory_story.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::linear {

/// A state under a rule while a story is told to it.
struct StateWalk {
    struct Step {
        std::vector<double> before, written, after; ///< [features, valueDim]; written = after − what was kept of before
        std::vector<double> read;                   ///< [valueDim]: of the token's key, once it is written
        double normAfter = 0, rankAfter = 0;
        double error = 0; ///< ‖read − value‖ / ‖value‖
    };
    MemoryStory story;
    cpu::LinearShape shape;
    Gating gating;
    int64_t features = 0;
    std::vector<Step> steps; ///< one a token

    /// What of the old state is there still at a step, as a sign between two pictures: "× 0.92 +".
    std::string keptText() const;
};

/// Tells the story to a state of its own. Throws InputError for maps that do not work step by step.
StateWalk walkThrough(MemoryStory story, cpu::LinearRule rule, cpu::FeatureMap map, const Gating& gating,
                      bool normalise);

/// The state before, what is written, and after; the words above, what is read below.
lab::Steps stateScene(const StateWalk& walk);

} // namespace warplight::labs::linear
