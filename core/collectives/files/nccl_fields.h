// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_facts.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace warplight::collectives {

/// What a column of a table or a member of a JSON object holds.
struct NcclField {
    enum class Kind {
        Size,
        Count,
        Type,
        Redop,
        Root,
        Test,
        Ranks,
        Nodes,
        Half, ///< 1: in place
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
    Kind kind = Kind::Unknown;
    int half = -1;   ///< 0: out of place, 1: in place, -1: the name does not say
    double unit = 0; ///< seconds or bytes a second; 0: the name does not say
    bool cpuTime = false;

    bool measured() const { return kind >= Kind::Time && kind <= Kind::Variation; }
};

/// By its name, as tables, JSON and CSV of nccl-tests, rccl-tests and their relatives spell it: "busbw", "busBw",
/// "bus_bw", "oop_busbw", "out-of-place busbw (GB/s)", "#wrong", "nwrong".
NcclField ncclFieldOf(std::string_view name);
/// "us", "(ms)", "GB/s", "Gb/s": in seconds or bytes a second; 0 for anything else.
double ncclUnitOf(std::string_view text);

/// A row, and how exactly its numbers were printed.
struct NcclPrintedRow {
    NcclRow row;
    PrintedTiming outOfPlace, inPlace;

    /// Takes a cell of this field in. False when it is none of this kind: the row is cut, or its cells are others'.
    bool put(const NcclField& field, std::string_view cell);
    /// After the last cell: a half whose time is N/A was not run.
    void finish();
    /// Whether every bandwidth is size over time, as far as rounding lets it be told.
    bool consistent() const;
};

} // namespace warplight::collectives
