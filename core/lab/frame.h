// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/lab/parameter.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace warplight::lab {

/// The stream of a run. The engine sends these frames, the program and the session file apply and keep them, the
/// report and the command line read them: there is no other way from an experiment to a picture.
using RunId = uint64_t;

/// What the run ran on, as far as a reader of its numbers must know. No host name, no user name.
struct Machine {
    std::string cpu;
    int cores = 0;
    int64_t memoryBytes = 0;
    std::string instructionSet;
    std::string system;  ///< "Debian GNU/Linux 12 (bookworm)"
    std::string version; ///< of Warplight
    bool operator==(const Machine&) const = default;
};

struct RunStarted {
    RunId run = 0;
    std::string experiment;
    std::string title; ///< of the experiment: "Race"
    std::map<std::string, Value> settings;
    std::string device;    ///< "cpu"
    std::string startTime; ///< ISO 8601 UTC
    Machine machine;
    std::map<std::string, int64_t> colours{}; ///< as the experiment's Description has them
    bool operator==(const RunStarted&) const = default;
};

/// A figure appears, or replaces the one of the same id.
struct FigurePut {
    RunId run = 0;
    Figure figure;
    bool operator==(const FigurePut&) const = default;
};

/// More points of a Series. Curves not yet in the figure are added with the given look.
struct SeriesAppended {
    RunId run = 0;
    std::string figure;
    std::vector<Curve> curves; ///< only the new points
    bool operator==(const SeriesAppended&) const = default;
};

/// More rows of a Table.
struct RowsAppended {
    RunId run = 0;
    std::string figure;
    std::vector<std::vector<Table::Cell>> rows;
    bool operator==(const RowsAppended&) const = default;
};

/// More steps of a Steps figure.
struct StepsAppended {
    RunId run = 0;
    std::string figure;
    std::vector<Steps::Step> steps;
    bool operator==(const StepsAppended&) const = default;
};

/// More spans of a Timeline, on the tracks that it has.
struct SpansAppended {
    RunId run = 0;
    std::string figure;
    std::vector<Timeline::Span> spans;
    bool operator==(const SpansAppended&) const = default;
};

/// One tile of a lazy heat map: an answer to a request, or volunteered while the map grows.
struct TilePut {
    RunId run = 0;
    std::string figure;
    int level = 0;
    int64_t tileRow = 0, tileCol = 0;
    int64_t rows = 0, cols = 0; ///< of this tile (smaller than tileSize at the edges)
    std::vector<float> cells;   ///< [rows, cols]; NaN = no value
    bool final = true;          ///< false: cells that are not computed yet are NaN, more will come
    bool operator==(const TilePut&) const = default;
};

struct FigureRemoved {
    RunId run = 0;
    std::string figure;
    bool operator==(const FigureRemoved&) const = default;
};

struct Progress {
    RunId run = 0;
    double fraction = 0;     ///< 0..1; negative = unknown
    std::string text;        ///< "flash, N = 8192 · 38 of 61 points"
    double secondsLeft = -1; ///< negative = unknown
    bool operator==(const Progress&) const = default;
};

struct Log {
    RunId run = 0;
    enum class Level { Info, Warning } level = Level::Info;
    std::string text;
    bool operator==(const Log&) const = default;
};

struct RunEnded {
    RunId run = 0;
    enum class Outcome { Finished, Cancelled, Failed } outcome = Outcome::Finished;
    std::string message; ///< why, when failed
    double seconds = 0;
    bool operator==(const RunEnded&) const = default;
};

using Frame = std::variant<RunStarted, FigurePut, SeriesAppended, RowsAppended, StepsAppended, SpansAppended, TilePut,
                           FigureRemoved, Progress, Log, RunEnded>;

RunId runOf(const Frame& frame);

/// A frame as CBOR: a map with "type" and the members by name; arrays of numbers as RFC 8746 typed arrays
/// (tag 86: f64 little endian, tag 85: f32 little endian). docs/protocol.md lists every member.
std::vector<std::byte> encode(const Frame& frame);

/// The inverse. Throws InputError naming the member that is missing or of the wrong type. Members it does not know are
/// ignored (a newer writer), an unknown "type" is an error.
Frame decode(std::span<const std::byte> cbor);

} // namespace warplight::lab
