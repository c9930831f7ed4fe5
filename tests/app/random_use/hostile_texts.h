// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/app/random_use/dice.h"

#include <QString>

namespace warplight::app {

/// A text that a field may not expect: a number at or beyond a limit, something very long, from right to left, of
/// unusual characters, a path to a device, or a piece of some other language. Half of them are ordinary numbers, lists
/// and words, small enough that a run with them is cheap.
QString hostileText(Dice& dice);

} // namespace warplight::app
