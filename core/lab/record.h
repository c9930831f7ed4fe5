// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/frame.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace warplight::lab {

/// One run as it stands after the frames so far: the model behind every view, report and file.
class RunRecord {
  public:
    /// Which tile of which lazy figure: (figure, level, row, column).
    using TileKey = std::tuple<std::string, int, int64_t, int64_t>;

    /// Applies a frame of this run. Throws InputError for one that does not fit (points for a figure that is no
    /// series).
    void apply(const Frame& frame);

    const RunStarted& start() const { return started; }
    const std::vector<Figure>& figures() const { return shown; } ///< in order of appearance
    const Figure* figure(std::string_view id) const;             ///< null if there is none
    /// Another number after every change of the figure, also over runs: who keeps it need not compare millions of
    /// cells.
    uint64_t revision(std::string_view id) const;
    /// At most 64 MiB of them; beyond that the finest go first.
    const std::map<TileKey, TilePut>& tiles() const { return tileStore; }
    const std::vector<Log>& logs() const { return logLines; }
    const Progress& progress() const { return lastProgress; }
    const std::optional<RunEnded>& ended() const { return end; }
    bool running() const { return started.run != 0 && !end; }

    /// The frames that rebuild this record: what a session file stores. Tiles finer than the overview
    /// (more than `tileBudget` bytes) are left out, coarsest levels first in.
    std::vector<Frame> frames(int64_t tileBudget = 32 << 20) const;

  private:
    Figure* find(std::string_view id);
    void keep(const TilePut& tile);

    RunStarted started;
    std::vector<Figure> shown;
    std::map<std::string, uint64_t, std::less<>> revisions;
    std::map<TileKey, TilePut> tileStore;
    int64_t tileBytes = 0;
    std::vector<Log> logLines;
    Progress lastProgress;
    std::optional<RunEnded> end;
};

} // namespace warplight::lab
