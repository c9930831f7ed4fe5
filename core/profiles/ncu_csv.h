// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/csv_reader.h"
#include "core/profiles/kernel_record.h"
#include "core/profiles/profiler_words.h"
#include "core/profiles/reading.h"

#include <string>
#include <vector>

namespace warplight::profiles {

/// Whether these cells head a table of `ncu --csv`, wherever its columns are.
bool isNcuHeader(const std::vector<std::string>& cells);

/// Reads what follows such a header: one metric a row (`--page details`), one launch a row (`--page raw`) or one metric
/// of all launches of a kernel a row (`--print-summary per-kernel`). Launches have no start: Nsight Compute runs
/// kernels one by one; nor a duration where none was collected. `words`: what was said before the table, and hears what
/// is said in it. Throws InputError naming the column that is missing, or why there is no launch; Cancelled.
Profile readNcuCsv(CsvReader& reader, const std::vector<std::string>& header, ProfilerWords& words,
                   const Reading& reading);

} // namespace warplight::profiles
