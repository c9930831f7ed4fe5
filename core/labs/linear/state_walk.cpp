// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/algebra/decomposition.h"
#include "core/labs/linear/spectrum.h"
#include "core/labs/linear/state_scene.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {

std::string StateWalk::keptText() const {
    using cpu::LinearRule;
    switch (shape.rule) {
    case LinearRule::Retention:
    case LinearRule::GatedDelta:
        return fmt::format("× {:.3g} +", gating.decay);
    case LinearRule::Gla:
        return "× α +";
    default:
        return "+";
    }
}

StateWalk walkThrough(MemoryStory story, cpu::LinearRule rule, cpu::FeatureMap map, const Gating& gating,
                      bool normalise) {
    StateWalk walk;
    walk.shape = shapeOfState(story, rule, map, normalise);
    walk.gating = gating;
    cpu::LinearState state(walk.shape);
    walk.features = state.features();
    for (const MemoryStory::Token& token : story.tokens) {
        StateWalk::Step step;
        step.before = state.matrix();
        tell(state, walk.shape, story, token, gating);
        step.after = state.matrix();
        step.written.resize(step.after.size());
        const auto columns = static_cast<size_t>(story.valueDim);
        for (size_t i = 0; i < step.after.size(); ++i) {
            const double kept = token.asks ? 1 : keptOf(rule, gating, static_cast<int64_t>(i / columns), walk.features);
            step.written[i] = step.after[i] - kept * step.before[i];
        }
        step.read = state.read(story.key(token));
        const std::span<const double> value = story.value(token);
        std::vector<double> off(value.begin(), value.end());
        for (size_t c = 0; c < off.size(); ++c)
            off[c] -= step.read[c];
        step.error = norm(off) / norm(value);
        step.normAfter = norm(step.after);
        step.rankAfter = effectiveRank(algebra::singularValues(step.after, walk.features, story.valueDim));
        walk.steps.push_back(std::move(step));
    }
    walk.story = std::move(story);
    return walk;
}

} // namespace warplight::labs::linear
