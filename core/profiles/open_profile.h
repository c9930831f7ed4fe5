// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/byte_source.h"
#include "core/profiles/kernel_record.h"
#include "core/profiles/reading.h"

#include <atomic>
#include <functional>
#include <string>

namespace warplight::profiles {

/// Reads a profile, whatever it is called: the kind is recognised by its first bytes, or by the first line that heads a
/// known table, whatever a program printed before it. Nsight Compute CSV (details and raw page, sums by kernel), tables
/// of nsys stats (traces and sums of GPU work), PyTorch and Chrome traces (.json), all of them also gzip. Throws
/// InputError naming the file, the line or field and what was expected, and what a profiler said that wrote no table;
/// Cancelled.
Profile openProfile(const std::string& file, const std::atomic<bool>* cancel = nullptr,
                    std::function<void(double fraction)> progress = {});

/// The same from any source of bytes.
Profile readProfile(ByteSource& source, const Reading& reading);

} // namespace warplight::profiles
