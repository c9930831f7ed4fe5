// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/counters.h"
#include "gpu/virtual/program.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace warplight::vgpu {

struct Block;
struct Warp;

/// Memory that a warp has read, in order, and what it saw there.
class Reads {
  public:
    void clear();
    bool empty() const { return places.empty(); }
    size_t size() const { return places.size(); }
    /// Adds what the active lanes are about to read or update with an operation.
    void add(const Warp& w, const Op* op);
    void add(const std::byte* at, uint32_t bytes, bool global);
    void dropFrom(size_t first);
    /// Whether memory still is as it was seen, from the given read on.
    bool stillThere(size_t first = 0) const;
    bool anyGlobal() const;
    bool operator==(const Reads&) const = default;

  private:
    struct Place {
        const std::byte* at;
        uint32_t bytes, value; ///< where in `values`
        bool global;
        bool operator==(const Place&) const = default;
    };
    std::vector<Place> places;
    std::vector<std::byte> values;
};

/// Why a warp waits, and for what. It goes on when what it has read changes.
struct Wait {
    enum class Kind : uint8_t {
        Politely, ///< an mbarrier says that it is not complete: others first
        MayEnd,   ///< its loop reads the same again and changes nothing, but counts, or looks at the clock
        Forever   ///< all of its state is as it was one pass before
    };
    Kind kind = Kind::Forever;
    bool clock = false; ///< the loop looks at it
    bool polls = false; ///< it has reads that poll
    Reads reads;
    const Op* head = nullptr;  ///< of the loop
    const Op* at = nullptr;    ///< the last operation that read
    std::vector<uint32_t> ops; ///< those of one pass, ascending
    int64_t steps = 0;         ///< of the last pass
    LaunchCounts passes;       ///< of a loop that may end: they count if nothing else ends it
    std::vector<uint32_t> sectors;
};

/// A block whose warps wait together: a loop around a barrier. It is looked at from one release of the barrier to the
/// next.
struct WaitTogether {
    bool wanted = false;   ///< a polling loop has come to a barrier
    bool released = false; ///< the barrier has opened since; all warps of the block are behind it
    bool parked = false;
    const Op* barrier = nullptr; ///< that opened last
    int pause = 0, left = 0;     ///< releases until the next look
    Wait wait;
};

/// What a look at a loop has shown.
enum class Seen : uint8_t {
    Waits,   ///< it only waits: the passes are not counted
    Works,   ///< it changes what others may see, or has come to its end
    Unclear, ///< neither: what it reads or counts differs from pass to pass
    TooLong  ///< it has not come back: a loop inside may be the one that waits
};

/// Lets a warp run from a loop's head until it is there again. Where it only waits its state becomes Waiting.
Seen watch(Warp& w);

/// The same for a block whose barrier has just opened, until it opens again: Block::together is parked then.
Seen watchTogether(Block& block);

/// A path of the warp that waits lets other lanes of the warp go ahead, as GPUs since Volta do: those that have waited
/// longest. False: there are none, or all have tried in vain. `early`: only those that exchange no values with others
/// of their warp on the way.
bool letLanesAhead(Warp& w, bool early);

/// What waits at `op` lets the others go first; `op` has not happened then.
void waitPolitely(Warp& w, const Op* op, Reads reads);

} // namespace warplight::vgpu
