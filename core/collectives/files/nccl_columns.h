#pragma once

#include "core/collectives/files/nccl_facts.h"

#include <span>

namespace warplight::collectives {

/// The columns of a table of nccl-tests, by their names: versions and options differ in which there are.
class NcclColumns {
  public:
    /// Of the words of a line; empty when it is no line of column names.
    static std::optional<NcclColumns> of(std::span<const std::string_view> words);
    /// Of the cells of a markdown table's first line.
    static std::optional<NcclColumns> ofMarkdown(std::span<const std::string_view> cells);

    struct Row {
        NcclRow row;
        PrintedTiming outOfPlace, inPlace;
    };
    /// Empty when the cells do not fit: the line is cut, or something else was printed into it. Blank cells (redop,
    /// root, the whole out-of-place half) are found by what is there.
    std::optional<Row> row(std::span<const std::string_view> words) const;
    /// A row of markdown; its times follow from size and bandwidth.
    std::optional<Row> markdownRow(std::span<const std::string_view> cells) const;

    size_t words() const; ///< in a full row
    const std::vector<std::string>& unknown() const { return unknownNames; }

  private:
    enum class Kind {
        Size,
        Count,
        Type,
        Redop,
        Root,
        Time,
        Algbw,
        Busbw,
        Wrong,
        Error,
        Min,
        Max,
        P99,
        Variation,
        Timestamp,
        Unknown
    };
    struct Column {
        Kind kind;
        int half; ///< -1: describes the row; 0: out of place; 1: in place
    };
    bool has(Kind kind) const;
    std::optional<Row> fill(std::span<const Column> present, std::span<const std::string_view> words) const;

    std::vector<Column> columns;
    std::vector<std::string> unknownNames;
    bool cpuTime = false;
};

} // namespace warplight::collectives
