// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace warplight::model {

/// Which pairs of tokens become one, in which order (Sennrich, Haddow and Birch 2016, section 3.2).
class PairMerges {
  public:
    /// The next merge, after all those so far; a pair that comes again keeps its place.
    void add(int32_t left, int32_t right, int32_t merged);

    /// Merges, as long as any pair can, the pair of the earliest merge, of several the leftmost. Takes n log n steps.
    void apply(std::vector<int32_t>& tokens) const;

  private:
    struct Merge {
        int64_t rank;
        int32_t merged;
    };
    const Merge* find(int32_t left, int32_t right) const;
    static uint64_t key(int32_t left, int32_t right) {
        return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
    }
    std::unordered_map<uint64_t, Merge> merges;
};

} // namespace warplight::model
