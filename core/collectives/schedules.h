// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/schedule.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace warplight::collectives {

/// One maker a family of algorithms. Ranks, elements, options and the collective have been checked by makeSchedule.
using ScheduleMaker = std::unique_ptr<Schedule>(Collective collective, int ranks, int64_t elements,
                                                const AlgorithmOptions& options);
ScheduleMaker makeNaive;
ScheduleMaker makeParameterServer;
ScheduleMaker makeRing;
ScheduleMaker makeRecursiveDoubling;
ScheduleMaker makeHalvingDoubling;
ScheduleMaker makeTree;
ScheduleMaker makeDoubleTree;
ScheduleMaker makeHierarchical;

/// Nearly equal chunks of a vector, divided once for all: chunkRange without its divisions.
class Chunks {
  public:
    Chunks(int64_t elements, int64_t chunks) : size(elements / chunks), longer(elements % chunks) {}
    Range operator[](int64_t index) const {
        const int64_t begin = index * size + (index < longer ? index : longer);
        return {begin, begin + size + (index < longer ? 1 : 0)};
    }

  private:
    int64_t size, longer;
};

/// chunkRange of a part of the vector instead of the whole.
inline Range pieceOf(Range whole, int64_t pieces, int64_t index) {
    const Range piece = chunkRange(whole.size(), pieces, index);
    return {whole.begin + piece.begin, whole.begin + piece.end};
}

/// Borders of nearly equal chunks, from 0 to `elements`.
std::vector<int64_t> equalBorders(int64_t elements, int64_t chunks);

} // namespace warplight::collectives
