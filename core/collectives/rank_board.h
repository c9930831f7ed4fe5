// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace warplight::collectives {

/// Where every rank is, on memory that all of them see (of one process, or mapped by several): who waits for whom since
/// when. Whoever watches it can name the rank that holds up the others. Lock-free; a rank writes its own row only.
class RankBoard {
  public:
    enum class State : int32_t { Starting, Working, Waiting, Done, Failed };

    static size_t bytesFor(int ranks);
    /// Over bytesFor(ranks) bytes, aligned to 64, that outlive the board. `clears` is for the one that made them.
    RankBoard(void* memory, int ranks, bool clears);

    void setWorking(int rank, int64_t step);
    void setWaiting(int rank, int64_t step, int waitsFor);
    void setDone(int rank);
    void setFailed(int rank);

    /// A run that does not get ahead: nobody has changed their row for `timeout`. Names the rank that others wait for
    /// and that does not wait itself; of ranks that all wait for each other, one of the circle.
    struct Stall {
        int rank;
        std::string sentence; ///< "Rank 2 hangs in step 3: rank 3 has waited 10.0 s for it, and through it 2 others."
    };
    std::optional<Stall> stall(std::chrono::steady_clock::time_point now, std::chrono::milliseconds timeout) const;

  private:
    struct Row;
    Row* rows = nullptr;
    int rankCount = 0;
};

} // namespace warplight::collectives
