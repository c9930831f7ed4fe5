// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/scan/scan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::cpu {

/// One combine of a run: `into` (an index of steps) becomes all of [from, into], of which [from, middle) and [middle,
/// into] were known. `state`: a state came out of it, not a pair.
struct ScanCombine {
    int64_t from = 0, middle = 0, into = 0;
    bool state = false;
    bool operator==(const ScanCombine&) const = default;
};

/// What happened between two barriers, or by one hand: in steps that wait for each other.
struct ScanStep {
    std::string phase; ///< "up", "down", "chunks" …
    std::vector<ScanCombine> combines;
    std::vector<float> a, b; ///< pairs after it, one a step of the sequence; where a state is known b is it
};

/// The run of one channel of real numbers, on one thread, by the very code that scan runs; h as scan makes it. Serial
/// and later rungs. Throws InputError, Cancelled.
struct ScanRecord {
    std::vector<ScanStep> steps;
    std::vector<float> h;
    ScanCounts counted; ///< from the steps
};
ScanRecord recordScan(ScanRung rung, const ScanProblem& oneChannel);

} // namespace warplight::cpu
