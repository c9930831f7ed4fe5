// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// The linear scan h_t = a_t · h_{t-1} + b_t of rows, f32 (gpu/kernels/scan.cu; of complex numbers scan_complex.cu).
struct ScanShape {
    int64_t channels = 0, length = 0;
    bool begins = false;  ///< with a state before the first step; otherwise with 0
    bool complex = false; ///< numbers are pairs (real, imaginary)

    int64_t parts() const { return complex ? 2 : 1; }
};

/// The rungs of the ladder on the GPU.
enum class ScanRung { Serial, HillisSteele, Sklansky, Blelloch, Chunked, LookBack };
struct ScanRungInfo {
    ScanRung id;
    std::string_view name;     ///< as on the command line
    std::string_view title;    ///< one line: what this rung does
    std::string_view improves; ///< what it changes against the rung before, and why that helps
};
std::span<const ScanRungInfo> scanRungs();

inline constexpr int64_t scanChunkSteps = 1024; ///< of a chunk of Chunked and LookBack; half of complex numbers

/// Steps that a block of Hillis-Steele, Sklansky or Blelloch scans at once; 0 for other rungs.
int64_t scanTile(ScanRung rung, int64_t length);

/// Row-major and contiguous: a and b [channels, length], h0 [channels] (not read where the shape does not begin);
/// complex numbers as pairs.
struct ScanTensors {
    const float *a = nullptr, *b = nullptr, *h0 = nullptr;
};

struct ScanRun : Launched {
    std::vector<float> h; ///< [channels, length]
};

/// Throws InputError for shapes that there are none of, or that cannot be launched.
void checkShape(const ScanShape& shape);

/// Copies the tensors to the device, runs the rung, copies h back. Buffers are called A, B, h0, H, and between the
/// kernels pairs, states, status, tickets. Throws InputError as checkShape does, KernelError, Cancelled.
ScanRun scan(KernelLibrary& library, ScanRung rung, const ScanShape& shape, const ScanTensors& tensors,
             const LaunchOptions& options = {});

/// Each tensor once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const ScanShape& shape);
/// What the loops of a rung's kernels ask memory for, derived by hand. Chunks move rows in whole groups of four steps.
/// LookBack: when each chunk finds the state of the one before it known, as on the virtual GPU; on others it may look
/// further back and more often.
TensorTraffic algorithmicTraffic(ScanRung rung, const ScanShape& shape);

/// Device memory that scan takes for a rung, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(ScanRung rung, const ScanShape& shape);

} // namespace warplight::gpu
