// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_fields.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::collectives {

/// The columns of a table of nccl-tests, by their names: versions and options differ in which there are.
class NcclColumns {
  public:
    /// Of the words of a line that has them somewhere, whatever a launcher or a log collector put before and behind
    /// them; empty when it is no line of column names.
    static std::optional<NcclColumns> of(std::span<const std::string_view> words);
    /// Of the cells of a markdown table's first line.
    static std::optional<NcclColumns> ofMarkdown(std::span<const std::string_view> cells);
    /// As nccl-tests has them since 2.13, for rows whose line of names is lost.
    static NcclColumns usual();

    /// How far the words of a line are a row.
    struct Fit {
        NcclPrintedRow printed;
        size_t words = 0;     ///< that fit, from the first on
        size_t reach = 0;     ///< that fit a row with both halves: more than `words` where it is cut in the second
        bool whole = false;   ///< the row has all of its cells; what comes behind is somebody else's
        bool oneHalf = false; ///< whole only if the out-of-place half is blank: may as well be cut behind it
    };
    /// Blank cells (redop, root, the whole out-of-place half) are found by what is there. The last number may have
    /// another text stuck to it.
    Fit fit(std::span<const std::string_view> words) const;
    /// A row of markdown; its times follow from size and bandwidth.
    std::optional<NcclPrintedRow> markdownRow(std::span<const std::string_view> cells) const;

    /// Takes the words of the line below the names, "(B) (elements) (us) (GB/s)"; false when it is none.
    bool units(std::span<const std::string_view> words);
    bool namesUnits() const { return unitsNamed; }

    size_t size() const { return columns.size(); }
    size_t labelWords() const { return labels; } ///< that stand before the names, and so before each row
    bool tableBeside() const { return beside; }  ///< another table begins in the same line
    const std::vector<std::string>& unknown() const { return unknownNames; }

  private:
    bool has(NcclField::Kind kind) const;
    Fit fill(std::span<const NcclField> present, std::span<const std::string_view> words) const;

    std::vector<NcclField> columns;
    std::vector<std::string> unknownNames;
    size_t labels = 0;
    bool beside = false, unitsNamed = false;
};

} // namespace warplight::collectives
