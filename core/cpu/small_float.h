// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"

namespace warplight::cpu {

/// A floating-point format smaller than f32, as vectors of f32 are rounded to it.
struct SmallFloat {
    int droppedBits;   ///< of an f32's fraction
    float leastNormal; ///< what is smaller has fewer digits
    float shift;       ///< 1.5 · 2^23 units of the least number: what is added to it is rounded to these
    float largest;     ///< finite
    float beyond;      ///< what larger numbers become: infinity, or of 8 bits the largest
    float infinity;    ///< what infinity becomes: e4m3 has none, and gives NaN
};

/// Of f16, bf16, e4m3 or e5m2. Throws std::out_of_range for others.
SmallFloat smallFloat(number::Format format);

} // namespace warplight::cpu
