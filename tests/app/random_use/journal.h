// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include <array>
#include <atomic>
#include <cstdint>

namespace warplight::app {

/// What a random user has done last, in memory that outlives the process: whatever ends it, what it did can be told.
struct Journal {
    static constexpr size_t linesKept = 40, longest = 300;

    uint64_t seed = 1, events = 500;
    std::atomic<uint64_t> event = 0; ///< that is being handled, from 1
    std::atomic<uint64_t> lines = 0; ///< written so far
    std::array<std::array<char, longest>, linesKept> text{};

    /// Keeps a line, cut and with nothing in it that a terminal would obey.
    void say(const QString& line);
    /// Writes the seed, the number and the text of the event, and what came before, to standard error. Allocates
    /// nothing: it also works in a process that is ending.
    void tell(const char* why) const;
};

/// Runs `user` in a process of its own, and waits for it: a crash, an exit, an abort or a sanitizer's finding is told
/// with the journal and how to replay it. Ends every process that was left behind. Returns the exit code: 0 for none.
int supervised(Journal& journal, int (*user)(Journal& journal, int argc, char** argv), int argc, char** argv);

/// A journal that is shared with the processes that are forked from now on; never freed.
Journal& sharedJournal();

} // namespace warplight::app
