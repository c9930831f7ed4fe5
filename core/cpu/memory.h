// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/host/memory_budget.h"

#include <cstdint>
#include <initializer_list>

namespace warplight::cpu {

/// Bytes of a · b numbers of four bytes; INT64_MAX when that overflows.
inline int64_t floats(int64_t a, int64_t b) { return saturatedProduct(saturatedProduct(a, b), sizeof(float)); }

/// What buffers of these sizes take together, with the slack that aligning each may cost.
inline int64_t buffers(std::initializer_list<int64_t> parts) {
    constexpr int64_t alignmentSlack = 64;
    int64_t all = 0;
    for (const int64_t part : parts)
        all = saturatedSum(all, saturatedSum(part, alignmentSlack));
    return all;
}

} // namespace warplight::cpu
