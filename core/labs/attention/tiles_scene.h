// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/labs/attention/tile_walk.h"

#include <cstdint>

namespace warplight::labs::attention {

/// The walk as a picture: the tensors in memory as strips of tiles; on the chip the tiles that are there, their scores,
/// each row's maximum, sum and rescaling; below, where in S that is, and the bytes so far against standard attention's.
lab::Steps tilesScenes(const TileWalk& walk);

/// Bytes that one step of it holds, at most.
int64_t sceneBytes(int64_t queryTile, int64_t keyTile, int64_t tiles);

} // namespace warplight::labs::attention
