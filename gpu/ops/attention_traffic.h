// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/attention.h"
#include "gpu/ops/traffic.h"

#include <cstdint>

namespace warplight::gpu {

/// Each tensor of the problem once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const AttentionShape& shape, number::Format format);

/// What the loops of a rung's kernels ask memory for, derived by hand from their tiles (gpu/kernels,
/// docs/attention-traffic.md). `flashTile`: of flash1 and flash2, queries and keys. flash-decode: without the
/// statistics of its parts.
TensorTraffic algorithmicTraffic(AttentionRung rung, const AttentionShape& shape, number::Format format,
                                 int64_t flashTile = 32);

/// Bytes that algorithms of standard attention, FlashAttention-1 and -2 move with tiles that fill `onChip` bytes
/// (Dao et al. 2022, theorem 2: columns of a tile M / (4·d), rows at most d; Dao 2023 for the order of the loops).
struct OnChipTheory {
    double standard = 0, flash1 = 0, flash2 = 0, compulsory = 0;
    double tile = 0; ///< keys of a FlashAttention-1 tile
};
OnChipTheory theoryAt(const AttentionShape& shape, double elementBytes, double onChip);

} // namespace warplight::gpu
