#pragma once

#include "core/lab/record.h"

#include <string>

namespace warplight::cli {

/// A number as people read it: "{:.2f}" if such a format is given, else three digits with an SI prefix and the unit
/// (bytes with binary prefixes): "1.24 ms", "2.0 GiB".
std::string numberText(double value, const std::string& unit, const std::string& format = {});

/// The figures of a run as text: headline numbers, tables, series as columns.
std::string recordText(const lab::RunRecord& record);

} // namespace warplight::cli
