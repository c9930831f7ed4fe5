// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_columns.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::collectives {

/// The words of a line: runs of anything but blanks, at most 64 of them.
void splitNcclWords(std::string_view text, std::vector<std::string_view>& words);

/// Finds the rows of a table in lines that hold other things as well: labels before a row, words behind it, and lines
/// of other writers in the middle of one. nccl-tests prints a row in three parts, and a buffer may cut it anywhere;
/// pieces are joined when the row they make is whole and its bandwidths are size over time.
class NcclPieces {
  public:
    struct Found {
        NcclPrintedRow printed;
        int64_t line = 0; ///< where it begins
    };

    explicit NcclPieces(const NcclColumns& c) : columns(&c) {}

    /// Adds the rows that this line ends. `words` are those of `text`.
    void line(std::string_view text, std::span<const std::string_view> words, int64_t number, std::vector<Found>& rows);
    /// Adds what only waited for its end.
    void end(std::vector<Found>& rows);

    int64_t broken() const { return brokenRows; } ///< rows that begin and are not whole
    int64_t firstBroken() const { return firstBrokenLine; }

  private:
    bool goOn(std::string_view text, std::span<const std::string_view> words, std::vector<Found>& rows);
    std::optional<NcclPrintedRow> joined(std::string_view more, std::vector<std::string>& longer) const;
    void startWith(std::string_view text, int64_t number, const NcclColumns::Fit& fit);

    const NcclColumns* columns;
    std::vector<std::string> begun;     ///< what the row that is not whole yet may be, each with what follows it
    std::optional<NcclPrintedRow> half; ///< the row if nothing more comes: its other half was not run
    int64_t begunLine = 0;
    bool surely = false; ///< it is a row, not just a number
    int64_t brokenRows = 0, firstBrokenLine = 0;
};

} // namespace warplight::collectives
