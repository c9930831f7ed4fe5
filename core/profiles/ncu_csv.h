#pragma once

#include "core/profiles/csv_reader.h"
#include "core/profiles/kernel_record.h"
#include "core/profiles/reading.h"

namespace warplight::profiles {

/// Whether these cells head a table of `ncu --csv`.
bool isNcuHeader(const std::vector<std::string>& cells);

/// Reads what follows such a header: one metric a row (`--page details`) or one launch a row (`--page raw`). Launches
/// have durations but no start: Nsight Compute runs kernels one by one. Throws InputError naming the column that is
/// missing, Cancelled.
Profile readNcuCsv(CsvReader& reader, const std::vector<std::string>& header, const Reading& reading);

} // namespace warplight::profiles
