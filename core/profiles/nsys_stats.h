// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/csv_reader.h"
#include "core/profiles/kernel_record.h"
#include "core/profiles/nsys_rows.h"
#include "core/profiles/profiler_words.h"
#include "core/profiles/reading.h"

namespace warplight::profiles {

/// Reads the table of `nsys stats` that has just begun in `rows`, and all others behind it. Tables of GPU work count:
/// traces, sums of kernels, sums of copies; tables of the CPU and of ranges are passed over and named in a warning.
/// Where several tables tell of one kernel, it counts once: from a trace if one holds it. Launches have starts only in
/// traces. Throws InputError, a sentence, if nothing in the text tells of GPU work; Cancelled.
Profile readNsysStats(NsysRows& rows, const ProfilerWords& words, const Reading& reading);

} // namespace warplight::profiles
