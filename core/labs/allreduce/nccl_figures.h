// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_tests.h"
#include "core/lab/run.h"

#include <string>
#include <vector>

namespace warplight::labs::allreduce {

/// Draws what a file of nccl-tests says into the figures "time", "busbw" and "algbw" of a run, and logs its warnings.
/// Throws InputError when it holds no such table.
void drawNcclFile(lab::Run& run, const std::string& file);

/// The curves of a table for one of these figures. One for each operation, type, root and half (out of place, in
/// place) that it holds; rows of one size become their median, with bars from the 10th to the 90th percentile. Points
/// whose values are wrong are repeated as a curve of points. `name` begins their labels.
std::vector<lab::Curve> ncclCurves(const collectives::NcclTests& tests, const std::string& figure,
                                   const std::string& name);

} // namespace warplight::labs::allreduce
