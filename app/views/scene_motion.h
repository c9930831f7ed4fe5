// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <cstddef>

namespace warplight::app {

/// The scene on the way from one step to a neighbouring one: `share` 0 = still the first, 1 = the second. What has the
/// same id in both moves, what has come out of something else comes from there, and what else has an id changes in the
/// middle. Numbers do not: a matrix has the values of one of the two steps.
lab::Steps::Step sceneBetween(const lab::Steps& steps, size_t from, size_t to, double share);

/// Whether pictures may move: the user's choice, else the system's.
bool motionWanted();
void setMotionWanted(bool wanted);

} // namespace warplight::app
