// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <filesystem>

namespace warplight::lab {

/// Saves a timeline for Perfetto (ui.perfetto.dev) or chrome://tracing, compressed when the name ends in ".gz": groups
/// become processes, tracks threads; where spans of a track overlap, it is as many threads as it needs. A clock is
/// written as a nanosecond. Throws InputError or std::runtime_error naming the file.
void saveTimelineTrace(const Timeline& timeline, const std::filesystem::path& file);

} // namespace warplight::lab
