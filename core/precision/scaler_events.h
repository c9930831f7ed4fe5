// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/precision/scaler_line.h"
#include "core/precision/scaler_log.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace warplight::precision {

/// Joins what lines tell to events: several lines of one event, and what several ranks write of it.
class ScalerEvents {
  public:
    void add(const ScalerLine& line, int64_t number);
    /// The log, without its source. Throws InputError that begins with `name` where no line told anything.
    ScalerLog finish(const std::string& name);

  private:
    struct Pending {
        ScalerEvent event;
        std::optional<int64_t> bar, afterBar;
        std::optional<double> skips; ///< a count that is still to be told apart: of the interval or of all so far
        bool skipsOfInterval = false;
        bool weak = false;    ///< the scale is
        bool telling = false; ///< of what the scale becomes, so that the one before follows
    };
    /// What one rank has written of a scaler.
    struct Writer {
        size_t next = 0;               ///< of the scaler's skips and growths, the one that it comes to
        std::optional<size_t> current; ///< the one of its last line
        int64_t line = 0;              ///< that line
        std::set<size_t> shapes;       ///< of its lines on that event
    };
    struct Scaler {
        size_t index = 0;
        std::vector<size_t> changes; ///< skips and growths in `pending`
        std::map<int64_t, Writer> writers;
        int64_t lastWriter = -1;
        std::optional<size_t> toldBefore, told; ///< the last event that told the scale
        std::optional<int64_t> toldBy;          ///< the rank whose lines on the scale count
    };
    /// Steps as one kind of lines counts them.
    struct Counter {
        std::optional<int64_t> first, second, last;
        bool back = false;
        void tell(int64_t step);
    };

    Scaler* scalerOf(const std::string& name);
    void addChange(Scaler& scaler, Pending&& more, const ScalerLine& line);
    void addTold(Scaler& scaler, Pending&& more, const ScalerLine& line);
    size_t keep(Pending&& more);

    void dropWeak();
    void nameTheUnnamed(ScalerLog& log);
    void countSkips();
    void implySkips(ScalerLog& log);
    void chooseSteps(ScalerLog& log);

    std::vector<Pending> pending;
    std::map<std::string, Scaler> scalers;
    std::vector<std::string> names;
    Counter words, bars;
    bool updates = false, tooMany = false, tooManyScalers = false;
    bool tellsSkips = false, plainSteps = false; ///< any line of skips; a step where none was skipped
};

} // namespace warplight::precision
