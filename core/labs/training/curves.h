// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <cstddef>
#include <span>
#include <string>

namespace warplight::labs::training {

/// More points than this no screen shows apart.
inline constexpr size_t mostPoints = 4000;

/// A curve with no more than about `most` points: of each stretch the first, the least and the largest.
lab::Curve thinned(lab::Curve curve, size_t most = mostPoints);

/// A value that stays for some steps: two points for each time that it does, from the middle before its first step to
/// the middle behind its last.
lab::Curve stairs(std::span<const double> values, double firstStep = 1);

/// With its id, label and colour.
lab::Curve named(lab::Curve curve, std::string id, std::string label, std::string colourKey,
                 lab::Curve::Style style = lab::Curve::Style::Line,
                 lab::Provenance provenance = lab::Provenance::Counted);

} // namespace warplight::labs::training
