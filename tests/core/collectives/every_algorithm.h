// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/schedule.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace warplight::test {

/// An algorithm with the options that make it another one.
struct Variant {
    std::string name, algorithm;
    collectives::AlgorithmOptions options;
    std::vector<collectives::Collective> collectives;
};

inline std::vector<Variant> everyVariant() {
    using collectives::ChunkConvention;
    std::vector<Variant> variants;
    for (const auto& algorithm : collectives::algorithms()) {
        const auto add = [&](const std::string& suffix, const collectives::AlgorithmOptions& options) {
            variants.push_back({algorithm.id + suffix, algorithm.id, options, algorithm.collectives});
        };
        add("", {});
        if (algorithm.id == "ring")
            add("-baidu", {ChunkConvention::Baidu, 4, 8});
        if (algorithm.id == "tree" || algorithm.id == "double-tree")
            add("-whole", {ChunkConvention::Nccl, 4, 1});
        if (algorithm.id == "hierarchical") {
            add("-of-one", {ChunkConvention::Nccl, 1, 3});
            add("-of-three", {ChunkConvention::Nccl, 3, 1});
            add("-of-eight", {ChunkConvention::Nccl, 8, 2});
        }
    }
    return variants;
}

/// Lengths around everything that chunks are cut by.
inline std::vector<int64_t> lengthsFor(int ranks) {
    const int64_t p = ranks;
    const std::set<int64_t> lengths{0, 1, 2, 3, p - 1, p, p + 1, 2 * p - 1, 7, 61, 127, 509, 1023, 1024, 1025};
    return {lengths.begin(), lengths.end()};
}

} // namespace warplight::test
