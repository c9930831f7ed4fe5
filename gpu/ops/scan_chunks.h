// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/scan.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <string>

namespace warplight::gpu {

/// Rows in chunks of 256 threads, 16 bytes of each tensor a thread (gpu/kernels/scan.cuh), and what goes between them.
struct ScanChunks {
    int64_t rows = 0;
    int64_t chunks = 0; ///< of a row, at least 1
    int64_t number = 4; ///< bytes of a state

    ScanChunks(int64_t rowCount, int64_t length, int64_t numberBytes);
    int64_t steps() const { return 4 * scanChunkSteps / number; } ///< of a chunk
    int64_t all() const { return rows * chunks; }
    int64_t between() const { return rows * (chunks - 1); } ///< of all rows, all but the last ones
};

/// Starts the kernels of Chunked or LookBack: `family`_pairs, _states and _look_back on `rows`; scan_reset; and the
/// carry of `carryFamily` on `carried`, ScanRows of which only h0 is read.
struct ScanChunkKernels {
    std::string family, carryFamily;
    Argument rows, carried;
};
void startChunks(Launcher& launcher, ScanRung rung, const ScanChunkKernels& kernels, const ScanChunks& chunks);

/// Bytes of "pairs", "states", "status" and "tickets".
TensorTraffic trafficBetween(ScanRung rung, const ScanChunks& chunks);
/// Device memory of the same; 0 for rungs without chunks, INT64_MAX when the size overflows.
int64_t bytesBetween(ScanRung rung, const ScanChunks& chunks);

} // namespace warplight::gpu
