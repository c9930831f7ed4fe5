// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::precision {

/// What one line of a log says of loss scalers, told by its words and the numbers beside them.
struct ScalerLine {
    /// That a line tells of; None: it tells a scale and no more, Set: what it becomes.
    enum class Change { None, Set, Falls, Grows, Stays };
    /// A scale, and the one before it where a line has two.
    struct Scale {
        std::string scaler; ///< "0", "g"; empty: the line does not say which
        std::optional<double> before, after;
        Change change = Change::None;
        bool weak = false; ///< called "scale" and no more: may be another thing's
    };
    std::vector<Scale> scales;
    bool skipped = false;         ///< the step was skipped
    bool skippedWords = false;    ///< in words, not as a value that other lines have as well
    bool tellsSkips = false;      ///< as a value, whichever it is
    std::optional<double> skips;  ///< a number of skipped steps
    bool skipsOfInterval = false; ///< since the last such line; otherwise the log as a whole tells which
    std::optional<int64_t> step;  ///< step, iteration or update
    bool updates = false;         ///< `step` counts those that were not skipped (num_updates)
    std::optional<int64_t> bar;   ///< where a progress bar is, "| 41/2000 [", or an epoch, "[41/2000]"
    std::optional<int64_t> rank;  ///< which process wrote it
    bool rankIsSure = false;      ///< otherwise a number that a launcher may have put before the line
    size_t shape = 0;             ///< the same for lines that differ in numbers only

    bool any() const { return !scales.empty() || skipped || skips; }
};

/// Of a line without control sequences (core/text/plain_line.h), whatever is in it.
ScalerLine scalerLine(std::string_view line);

/// How far to go in a table's column of this name: "loss_scale", "run-1 - train/amp_scale".
enum class ScalerColumn { None, Scale, Step, Skipped, Updates };
ScalerColumn scalerColumn(std::string_view name);

} // namespace warplight::precision
