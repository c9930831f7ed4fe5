// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/precision/exact_sum.h"
#include "gpu/number/format.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::precision {

/// In which order terms are added up:
/// Serial: one after the other.
/// Chunked: each chunk serially from 0, the chunks' sums one after the other.
/// Pairwise: two halves of the terms, each in the same way; the first has the largest power of two of them below the
/// count, so that sums of all lengths come from one pass.
/// WarpTree: lane i of 32 adds terms i, i + 32, … serially; then every lane adds what lane i xor 16 has, 8, 4, 2, 1.
/// Kahan: serially, and what an addition lost goes into the next term (Kahan, "Further remarks on reducing truncation
/// errors", 1965).
/// TensorCore: as a row of `mma` adds up: fused multiply-adds in f32, rounded to the accumulator's format after each 16
/// (docs/virtual-gpu.md, "Accumulation of mma"; real ones lose other last bits).
enum class SumOrder { Serial, Chunked, Pairwise, WarpTree, Kahan, TensorCore };

struct NamedOrder {
    SumOrder order;
    std::string_view id, title; ///< "warp-tree", "warp tree"
};
std::span<const NamedOrder> sumOrders();

struct HowToSum {
    SumOrder order = SumOrder::Serial;
    number::Format accumulator = number::Format::F16; ///< F16, BF16 or F32
    int64_t chunk = 256;                              ///< terms of a chunk, at least 1
};

/// Whether a tensor core has an instruction for it: inputs of f16 with both, of bf16 and of f32 (as TF32) with f32.
bool hasTensorCoreInstruction(number::Format inputs, number::Format accumulator);

/// What one order made of the first terms of a sum.
struct SumCourse {
    std::vector<double> sums;              ///< of as many terms as `lengths` says, as the accumulator holds them
    double sum = 0;                        ///< of all terms
    std::optional<int64_t> stagnatesAfter; ///< so many terms nothing changes the sum any more; unset: it moves on
    std::optional<int64_t> overflowsAt;    ///< of so many the sum is no finite number for the first time; unset: never
    int64_t operations = 0;                ///< additions, products and multiply-adds that made `sum`

    /// A sum stands still if the terms behind its last change add up to so many units in its last place: by chance no
    /// sum misses as much.
    static constexpr double unitsThatTell = 16;
};

/// Adds up a, or with b (as long) the products. The terms are those of a kernel that computes in the accumulator's
/// format: converted to it first; a product that is added to a running sum is fused with it, one that is the leaf of a
/// tree is rounded. Of f32 numbers the tensor core's way takes the 19 bits of TF32 (without the low bits, as an `mma`
/// does that is given f32). `lengths` ascend from 1 to at most a.size(). Throws Cancelled.
SumCourse sumInOrder(std::span<const float> a, std::span<const float> b, const HowToSum& how,
                     std::span<const int64_t> lengths, const std::atomic<bool>* cancel = nullptr);

/// The same without rounding.
struct ExactCourse {
    std::vector<ExactSum> sums;
    std::vector<double> sizes; ///< sums of the terms' absolute values
};
ExactCourse sumExactly(std::span<const float> a, std::span<const float> b, std::span<const int64_t> lengths,
                       const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::precision
