// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention_map.h"
#include "core/lab/run.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace warplight::labs::linear {

/// A map that stands in the softmax's place, made where it is looked at.
class MethodMap {
  public:
    virtual ~MethodMap() = default;

    /// NaN behind a causal mask and in rows without values.
    virtual double at(int64_t row, int64_t column) const = 0;
    /// out[r, c]: mean over the cells inside the map of the block of cell × cell at (rowBegin + r·cell, columnBegin +
    /// c·cell), masked ones as 0; NaN where all are masked or a row has no values. Throws Cancelled.
    virtual void means(int64_t rowBegin, int64_t columnBegin, int64_t rows, int64_t columns, int64_t cell,
                       std::span<float> out, const std::atomic<bool>* cancel) const = 0;
};

/// What a lazy map of softmax attention and one of its replacements have in common.
struct ComparedMaps {
    cpu::MapProblem exact; ///< points into q and k
    std::vector<float> q, k, lse;
    std::shared_ptr<const MethodMap> method;
    std::string name; ///< of the method, as a hover says it
};

enum class Shown { Exact, Method, Difference };

/// Tiles of one of the three maps; all pool by the mean.
std::shared_ptr<lab::TileSource> tilesOf(std::shared_ptr<const ComparedMaps> maps, Shown shown);

} // namespace warplight::labs::linear
