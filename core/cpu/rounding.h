// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// Of numbers that are not negative.
inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
/// The next multiple of `step`.
inline int64_t roundUp(int64_t value, int64_t step) { return ceilDiv(value, step) * step; }

} // namespace warplight::cpu
