// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/format.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// The rungs of Mamba-2's SSD on the GPU (gpu/kernels/ssd.cu, _chunked.cu, _mma.cu): the kernels of linear attention.
enum class SsdRung { Recurrent, Chunked, ChunkedMma };
struct SsdRungInfo {
    SsdRung id;
    std::string_view name;     ///< as on the command line: "chunked-mma"
    std::string_view title;    ///< one line: what this rung does
    std::string_view improves; ///< what it changes against the rung before, and why that helps
    bool halfInputs;           ///< f16 and bf16 instead of f32
};
std::span<const SsdRungInfo> ssdRungs();
const SsdRungInfo& info(SsdRung rung);

/// h_t = e^{a_t} h_{t-1} + b_t x_tᵀ, y_t = h_tᵀ c_t.
struct SsdShape {
    int64_t batch = 1, length = 0, heads = 1, groups = 1, headDim = 0, stateDim = 0;
    int64_t chunk = 64;  ///< of rungs that have chunks: one of ssdChunks
    bool begins = false; ///< with a state that is given
    int64_t allHeads() const { return batch * heads; }
};
inline constexpr int64_t ssdChunks[] = {16, 32, 64, 128};
inline constexpr int64_t largestSsdDim = 512;            ///< of headDim and stateDim
inline constexpr int64_t largestRecurrentStateDim = 256; ///< whose columns fit the registers

/// Throws InputError for shapes that there are none of, or that no rung can launch.
void checkShape(const SsdShape& shape);
/// Why a rung does not take a shape and format, as a clause; empty: it does.
std::string whyNot(SsdRung rung, const SsdShape& shape, number::Format format);

/// Row-major and contiguous: x [batch, length, heads, headDim], a [batch, length, heads] (logarithms), b and c [batch,
/// length, groups, stateDim], initial [batch, heads, headDim, stateDim].
struct SsdTensors {
    const float *x = nullptr, *a = nullptr, *b = nullptr, *c = nullptr;
    const float* initial = nullptr; ///< where the shape begins with one
};

struct SsdRun : Launched {
    std::vector<float> y;    ///< [batch, length, heads, headDim]
    std::vector<float> last; ///< the state after the last step, [batch, heads, headDim, stateDim]
};

/// Copies the tensors (f32; X, B, C, Y and what it begins with rounded to the format) to the device, runs the rung,
/// copies the result back. Buffers are called X, A, B, C, Y, initial-state, last-state, and between the kernels decays
/// (e^A, head by head) and states (what chunks begin with). Throws InputError with checkShape's or whyNot's sentence,
/// KernelError, Cancelled.
SsdRun ssd(KernelLibrary& library, SsdRung rung, const SsdShape& shape, const SsdTensors& tensors,
           number::Format format = number::Format::F32, const LaunchOptions& options = {});

/// Each tensor of the problem once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const SsdShape& shape, number::Format format = number::Format::F32);
/// What the loops of a rung's kernels ask memory for, derived by hand from their tiles.
TensorTraffic algorithmicTraffic(SsdRung rung, const SsdShape& shape, number::Format format = number::Format::F32);

/// Device memory that ssd takes for a rung, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(SsdRung rung, const SsdShape& shape, number::Format format = number::Format::F32);

} // namespace warplight::gpu
