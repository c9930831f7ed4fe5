// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/record.h"

#include <string>

namespace warplight::cli {

/// The figures of a run as text: headline numbers, tables, series as columns.
std::string recordText(const lab::RunRecord& record);

} // namespace warplight::cli
