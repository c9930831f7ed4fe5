// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::precision {

/// What a way to store a tensor costs and keeps.
struct StorageCost {
    std::string family; ///< "no scale", "e4m3 with f32 scales", "e2m1 with f32 scales", "microscaling"
    std::string title;  ///< "e4m3, a scale for each row"
    double bits = 0;    ///< a number, with its share of the scales
    double error = 0;   ///< √(Σ (x - stored)² / Σ x²) over the finite numbers; 0 where there are none
};

/// A tensor stored in f16, bf16, e5m2 and e4m3 as it is; in e4m3 and e2m1 with an f32 scale for the tensor, for each
/// row of `rowLength` numbers, and for blocks of 128 and 32, by which the largest number of those that share it becomes
/// the format's largest; and in the block formats (MXFP8, MXFP6, MXFP4, NVFP4). What lies beyond a format becomes its
/// largest number. Throws Cancelled.
std::vector<StorageCost> storageCosts(std::span<const float> values, int64_t rowLength,
                                      const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::precision
