// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/byte_source.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace warplight::precision {

/// What a log tells of a loss scaler at one place.
struct ScalerEvent {
    enum class Kind {
        Told,    ///< the scale, and perhaps how many steps were skipped since it was told last
        Skipped, ///< one step was skipped
        Grown,   ///< the scale grew
    };
    Kind kind = Kind::Told;
    size_t scaler = 0; ///< index into ScalerLog::scalers
    int64_t line = 0;
    std::optional<int64_t> step;         ///< that the event's own line tells
    std::optional<int64_t> afterStep;    ///< else the last that a line before it told
    std::optional<double> before, after; ///< scales; `after` is unset where the log tells only the one that failed
    bool beforeImplied = false;          ///< the log does not tell it: twice what it fell to
    int64_t skipped = 0;                 ///< steps
};

struct ScalerLog {
    std::string source;
    std::vector<std::string> scalers;           ///< "0", "g"; the one that has no name is ""
    std::vector<ScalerEvent> events;            ///< in the order of the log
    bool skipsImplied = false;                  ///< no line tells of skips: one for each halving that the scale fell
    bool updates = false;                       ///< steps are those that were not skipped (num_updates)
    bool stepsGoBack = false;                   ///< a restart, or steps are counted anew in each epoch
    std::optional<int64_t> firstStep, lastStep; ///< that any line tells
    std::optional<int64_t> steps;      ///< how many the log is about, skipped ones too; unset where it does not tell
    std::vector<std::string> warnings; ///< sentences
};

inline constexpr size_t mostScalerEvents = 500'000, mostScalers = 64;

/// What stands beside a scaler in a log: skips and halvings of apex, DeepSpeed, fairseq and whoever words it alike,
/// lines of metrics with a scale among them (Megatron's, dictionaries, JSON), tables with such a column (CSV). They are
/// told by "loss scale", "overflow", "skipping" and numbers beside these, whatever launchers, progress bars and log
/// writers put around them. Lines that tell of one event in other words count once, and so does what several ranks
/// write of it. A count of skipped steps is of the interval or of all so far; skips that lines of their own told are
/// not counted again. Throws InputError when there is nothing of that kind, Cancelled.
ScalerLog readScalerLog(profiles::ByteSource& source, const profiles::Reading& reading);

/// Of one scaler, or of all of them.
struct ScalerSummary {
    int64_t skips = 0, events = 0;
    std::optional<double> first, lowest, highest, last;
};
ScalerSummary summaryOf(const ScalerLog& log, std::optional<size_t> scaler = {});

} // namespace warplight::precision
