// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// Runs `iterations` rounds of independent fused multiply-adds; returns the FLOPs done (kept honest by `sink`).
double fmaLoop(int64_t iterations, float* sink);

} // namespace warplight::cpu
