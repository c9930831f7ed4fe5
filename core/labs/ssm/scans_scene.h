// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/labs/ssm/scan_walk.h"

#include <cstdint>

namespace warplight::labs::ssm {

/// Colour key of combines of earlier steps.
inline constexpr const char* earlierCombines = "earlier steps";

/// A scene a step: the pairs before it and after it with arrows between them, and below the whole run as a network, a
/// line a step.
lab::Steps scanScene(const ScanWalk& walk);

/// Bytes that a scene of so many steps with so many combines takes about.
int64_t sceneBytes(int64_t elements, int64_t steps, int64_t combines);

} // namespace warplight::labs::ssm
