// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <string>
#include <utility>
#include <vector>

namespace warplight::test {

/// A step of a Steps figure, its members in their order.
inline lab::Steps::Step scene(std::string caption, std::vector<lab::Steps::Cell> cells = {},
                              std::vector<lab::Steps::Label> labels = {}, std::vector<lab::Steps::Arrow> arrows = {},
                              std::vector<lab::Steps::Fact> facts = {}, std::vector<lab::Steps::Region> regions = {},
                              std::vector<lab::Steps::Matrix> matrices = {}, std::vector<lab::Steps::Bars> bars = {},
                              std::vector<lab::Steps::Trace> traces = {}, std::vector<lab::Link> links = {}) {
    lab::Steps::Step step;
    step.caption = std::move(caption);
    step.cells = std::move(cells);
    step.labels = std::move(labels);
    step.arrows = std::move(arrows);
    step.facts = std::move(facts);
    step.regions = std::move(regions);
    step.matrices = std::move(matrices);
    step.bars = std::move(bars);
    step.traces = std::move(traces);
    step.links = std::move(links);
    return step;
}

} // namespace warplight::test
