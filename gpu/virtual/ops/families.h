// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/handlers.h"

namespace warplight::vgpu {

/// Each adds its lane operations for the instruction set in use.
void addIntegerOperations(HandlerTable& table);
void addLogicOperations(HandlerTable& table);
void addBitOperations(HandlerTable& table);
void addFloatOperations(HandlerTable& table);
void addHalfOperations(HandlerTable& table);
void addConversions(HandlerTable& table);
void addComparisons(HandlerTable& table);
void addHalfComparisons(HandlerTable& table);
void addDirectedRounding(HandlerTable& table);

} // namespace warplight::vgpu
