// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace warplight::number {

/// How products are added up: what holds the sum, and when it is rounded.
enum class Sums {
    Half,       ///< f16, rounded at each fused multiply-add: half2 on CUDA cores
    TensorHalf, ///< f16 from one mma instruction to the next, f32 over the 16 products of each
    Single,     ///< f32
};

} // namespace warplight::number
