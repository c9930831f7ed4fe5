// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/scan.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace warplight::gpu {

/// What a launch of scan was seen to combine: `into` becomes everything in [from, into], of which [from, middle) and
/// [middle, into] were known; `state`: h came out of it, not a pair. Of steps of the row, or of chunks of it.
struct ScanCombine {
    int64_t from = 0, middle = 0, into = 0;
    bool state = false;
    bool operator==(const ScanCombine&) const = default;
};
struct ScanPhase {
    std::string name; ///< "step", "up", "down", "own step", "pairs", "carry", "states", "look back"
    std::vector<ScanCombine> combines;
    int64_t lookedAt = 0; ///< chunks whose status was read, of "look back"
};

/// Watches the accesses of the launches of one row's scan and tells from these alone who combined what with whom:
/// between two barriers of a tile in shared memory, or from chunk to chunk in global memory. Steps beyond one tile are
/// not told apart: for rows of at most scanTile steps, and Chunked and LookBack in chunks.
class ScanRecorder {
  public:
    ScanRecorder(ScanRung rung, const ScanShape& shape);
    /// For LaunchOptions::prepare.
    void watch(LaunchConfig& config);
    /// After the run: what happened, in order; phases in which only steps behind the end took part are left out.
    std::vector<ScanPhase> phases();

  private:
    struct Touched {
        std::vector<uint64_t> read, written; ///< bytes from the start of shared memory, in order
    };
    void take(const MemoryAccess& access);
    void takeGlobal(const MemoryAccess& access);
    void endPhase();
    void endTilePhase();
    void combineInTile(ScanPhase& phase, const Touched& by);
    bool inPairs(uint64_t address) const;
    int64_t stepAt(uint64_t address, uint64_t base) const;

    const ScanRung rung;
    const ScanShape shape;
    std::map<int, Touched> touched; ///< by thread, since the last barrier
    std::vector<ScanPhase> found;
    std::vector<int64_t> begins; ///< of what each step has taken in
    std::array<uint64_t, 2> pairBases{};
    uint64_t stateBase = 0;
    bool knowsPairs = false, knowsStates = false;
    int launches = 0;
};

} // namespace warplight::gpu
