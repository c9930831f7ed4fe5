// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/kernel_record.h"
#include "core/profiles/nsys_tables.h"

#include <string>
#include <vector>

namespace warplight::profiles {

/// What one table of nsys stats holds of GPU work; names are indices into those of the profile.
struct NsysEntries {
    NsysTable kind = NsysTable::None;
    std::string source;   ///< the recording it was made of; empty: not told
    bool byShape = false; ///< a row for each grid and block of a kernel
    std::vector<KernelRecord> records;
    std::vector<KernelTotals> totals;
};

/// Puts the tables together. Several reports of one recording tell of the same launches: a kernel or kind of copy is
/// taken from the table that tells the most of it (a trace before sums), whole, and from others of the recording what
/// this one lacks. Recordings add up. Sizes of copies join their times.
void joinTables(std::vector<NsysEntries> tables, Profile& profile);

} // namespace warplight::profiles
