// SPDX-License-Identifier: GPL-3.0-or-later
// The figures of the page GAU ledger.
#pragma once

#include "core/lab/figure.h"
#include "core/lab/run.h"
#include "core/labs/linear/gau_ledger.h"
#include "core/labs/linear/gau_strips.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {

/// What one entry took at one length, measured.
struct LedgerPoint {
    double seconds = 0, low = 0, high = 0; ///< median, 10th and 90th percentile
    int64_t held = 0;                      ///< bytes beyond input, output and weights
};
/// By entry and length.
using LedgerPoints = std::map<std::pair<std::string, int64_t>, LedgerPoint>;

std::map<std::string, int64_t> ledgerColours();

/// Time against the length, without points yet.
void putTimes(lab::Run& run, const std::vector<LedgerEntry>& entries);
/// Operations and memory likewise; of memory without points of what is measured.
void putCosts(lab::Run& run, const std::vector<LedgerEntry>& entries, const std::vector<int64_t>& lengths);
/// One measured point more.
void addLedgerPoint(lab::Run& run, const LedgerEntry& entry, int64_t length, const LedgerPoint& point);
/// All entries at the longest length that is measured of all, and the headlines.
void putLedgerTable(lab::Run& run, const std::vector<LedgerEntry>& entries, const std::vector<int64_t>& lengths,
                    const LedgerPoints& points);
/// A, the gate, A V and their product, and how much of attention and of a feed-forward layer is in the result.
void putStrips(lab::Run& run, const GateStrips& strips, double toIdentity, double toOne);
/// Mean sum of a row's weights against the number of keys, and what the formulas say.
void putDrift(lab::Run& run, int64_t shared,
              const std::map<cpu::GauFunction, std::vector<std::pair<int64_t, double>>>& sums);

} // namespace warplight::labs::linear
