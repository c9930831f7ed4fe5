// SPDX-License-Identifier: GPL-3.0-or-later
// One block of attention and a feed-forward layer, and gated attention units of as many parameters: what each costs.
#pragma once

#include "core/cpu/gau/gau.h"
#include "core/cpu/run.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::linear {

struct LedgerSizes {
    int64_t features = 128; ///< d
    int64_t shared = 64;    ///< s
    int64_t chunk = 256;    ///< c of FLASH; at most the length
    bool causal = true;
    cpu::GauFunction function = cpu::GauFunction::Relu2;

    auto operator<=>(const LedgerSizes&) const = default;
};

/// An entry of the ledger: "mha" (multi-head attention and a feed-forward layer of 4 d, 12 d² parameters), "gau" (one
/// unit), "flash-quad" (two units), "flash" (two units with chunks). Units have the e that comes nearest to 12 d².
class LedgerEntry {
  public:
    LedgerEntry(std::string id, std::string title, int64_t units, bool chunks, const LedgerSizes& sizes);

    std::string id, title;
    int64_t units = 0; ///< 0: attention and a feed-forward layer

    int64_t expanded() const { return e; } ///< e of a unit; 4 d of the feed-forward layer
    int64_t heads() const;
    int64_t parameters() const;
    double flops(int64_t length) const;      ///< of the products
    double scoreBytes(int64_t length) const; ///< of one layer's scores, if they were kept: h n², n² or n c of them
    int64_t heldBytes(int64_t length) const; ///< beyond the input, the output and the weights, at most
    cpu::GauShape shape(int64_t length) const;

  private:
    LedgerSizes sizes;
    bool chunked = false;
    int64_t e = 0;
};

std::vector<LedgerEntry> ledgerEntries(const LedgerSizes& sizes);

/// An entry with weights and tokens of one sequence, all from a seed, ready to be run again and again. No biases, no
/// normalisation, no residual stream: they are the same everywhere.
class LedgerRun {
  public:
    virtual ~LedgerRun() = default;
    /// Bytes held beyond input, output and weights (measured). Throws Cancelled.
    virtual int64_t run(const cpu::RunOptions& options) = 0;
    virtual const std::vector<float>& output() const = 0; ///< [length, features]
};
std::unique_ptr<LedgerRun> prepare(const LedgerEntry& entry, const LedgerSizes& sizes, int64_t length);

} // namespace warplight::labs::linear
