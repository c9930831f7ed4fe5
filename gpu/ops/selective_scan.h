// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// The rungs of the ladder on the GPU (gpu/kernels/selective_scan.cu).
enum class SelectiveRung {
    Unfused, ///< decays, inputs and states of all steps in memory
    Fused    ///< a block a channel; states stay on the chip
};
struct SelectiveRungInfo {
    SelectiveRung id;
    std::string_view name;     ///< as on the command line
    std::string_view title;    ///< one line: what this rung does
    std::string_view improves; ///< what it changes against the rung before, and why that helps
};
std::span<const SelectiveRungInfo> selectiveRungs();

/// h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t, y_t = C_t · h_t + D u_t, times silu(z_t); Δ = delta + bias, or softplus of
/// that.
struct SelectiveShape {
    int64_t batch = 1, dim = 0, length = 0, state = 16;
    int64_t groups = 1; ///< of channels that share B and C
    bool softplus = false;
    bool skip = false, gate = false, bias = false, first = false; ///< whether D, z, bias and the first state are there

    int64_t channels() const { return batch * dim; }
};

/// Contiguous, last axis fastest: u, delta, z [batch, dim, length]; a [dim, state]; b, c [batch, groups, state,
/// length]; d, bias [dim]; first [batch, dim, state]. Those that the shape does not have are not looked at.
struct SelectiveTensors {
    const float *u = nullptr, *delta = nullptr, *a = nullptr, *b = nullptr, *c = nullptr;
    const float *d = nullptr, *z = nullptr, *bias = nullptr, *first = nullptr;
};

struct SelectiveRun : Launched {
    std::vector<float> y;    ///< [batch, dim, length]
    std::vector<float> last; ///< the state after the last step, [batch, dim, state]
};

/// Throws InputError for shapes that there are none of, or that cannot be launched.
void checkShape(const SelectiveShape& shape);

/// Copies the tensors (f32) to the device, runs the rung, copies the results back. Buffers are called u, delta, A, B,
/// C, D, z, delta-bias, state, Y, last-state, and between the kernels decays, added and states. Throws InputError as
/// checkShape does, KernelError, Cancelled.
SelectiveRun selectiveScan(KernelLibrary& library, SelectiveRung rung, const SelectiveShape& shape,
                           const SelectiveTensors& tensors, const LaunchOptions& options = {});

/// What the loops of a rung's kernels ask memory for, derived by hand.
TensorTraffic algorithmicTraffic(SelectiveRung rung, const SelectiveShape& shape);

/// Device memory that selectiveScan takes for a rung, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(SelectiveRung rung, const SelectiveShape& shape);

} // namespace warplight::gpu
