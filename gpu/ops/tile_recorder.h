// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/attention.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace warplight::gpu {

/// Turns the accesses of a traced flash kernel into its visits of tiles. The kernel writes three floats for each row
/// and tile of keys into `trace`, and the scores of what the row sees of it into `scores`; whatever a block reads or
/// writes between two tiles belongs to the later one.
class TileRecorder {
  public:
    TileRecorder(Device& device, const AttentionShape& shape, int64_t tile, std::function<void(const TileVisit&)> told);
    uint64_t traceAddress() const { return trace.address(); }
    uint64_t scoresAddress() const { return scores.address(); }
    void take(const MemoryAccess& access);
    void finish(); ///< tells of the last tile

  private:
    void tell();

    Device& device;
    const AttentionShape& shape;
    int64_t tile, tilesOfKeys;
    std::function<void(const TileVisit&)> told;
    Buffer trace;  ///< [heads · queryLen, tilesOfKeys, 3]
    Buffer scores; ///< [heads · queryLen, keyLen]
    uint64_t block = 0;
    int64_t tileOfKeys = -1;   ///< of the visit, once a row has written its statistics
    std::vector<int64_t> rows; ///< of all heads, that have written theirs
    std::map<std::string, std::pair<int64_t, int64_t>> moved;
};

} // namespace warplight::gpu
