// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace warplight::formats {

/// A trace as Perfetto and chrome://tracing read it (Trace Event Format, JSON): lanes of slices. Slices of one lane
/// must not overlap: viewers want them to nest perfectly, so what runs at the same time belongs into lanes of its own.
struct Trace {
    struct Slice {
        double begin = 0, duration = 0; ///< microseconds
        std::string name, category;
        std::vector<std::pair<std::string, std::string>> arguments; ///< shown beside a selected slice
    };
    struct Lane {
        std::string process, name; ///< lanes of the same process stand together
        std::vector<Slice> slices; ///< ascending
    };
    std::vector<Lane> lanes; ///< in the order in which they are to be shown
};

/// Times are written from the first begin on, to the nanosecond, and so that the slices of a lane do not overlap by
/// rounding. Control characters are escaped.
void writeTrace(std::ostream& out, const Trace& trace);

/// Written whole or not at all; compressed when the name ends in ".gz". Throws InputError or std::runtime_error naming
/// the file.
void saveTrace(const std::filesystem::path& file, const Trace& trace);

} // namespace warplight::formats
