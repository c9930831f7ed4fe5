// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::gpu {

/// What makes a weight of a score q · k of a gated attention unit; m keys are counted, s features are shared.
enum class GauFunction {
    Relu2,     ///< max(q·k / m, 0)²
    Relu2Root, ///< max(q·k, 0)² / (m s)
    Softmax,   ///< softmax(q·k / √s)
    Laplace    ///< ½ (1 + erf((q·k / m - √½) / (σ √2))) with σ = √(1 / 4π)
};

/// The rungs of the ladder on the GPU (gpu/kernels/gau.cu, gau_mix.cu).
enum class GauRung { Tiled, Chunked };
struct GauRungInfo {
    GauRung id;
    std::string_view name;     ///< as on the command line
    std::string_view title;    ///< one line: what this rung does
    std::string_view improves; ///< what it changes against the rung before, and why that helps
};
std::span<const GauRungInfo> gauRungs();

/// Y = (U ∘ A V) W_o with U = silu(X W_u), V = silu(X W_v) and queries and keys that are views of Z = silu(X W_z).
struct GauShape {
    int64_t batch = 1, length = 0;
    int64_t features = 0; ///< d, of a token
    int64_t expanded = 0; ///< e, of gates and values
    int64_t shared = 0;   ///< s, of queries and keys
    GauFunction function = GauFunction::Relu2;
    bool causal = false, seenKeys = false; ///< seenKeys: a causal row counts the keys that it sees
    int64_t chunk = 0; ///< tokens among which attention is quadratic, linear across; 0: it is among all

    int64_t rows() const { return batch * length; }
    int64_t segment() const { return chunk > 0 ? chunk : length; }
    /// Of gamma and beta: queries, keys; with chunks queries, linear queries, keys, linear keys.
    int64_t views() const { return chunk > 0 ? 4 : 2; }
};

/// Row-major and contiguous: x [batch, length, features], wu and wv [features, expanded], wz [features, shared], gamma
/// and beta [views, shared], wo [expanded, features].
struct GauTensors {
    const float *x = nullptr, *wu = nullptr, *wv = nullptr, *wz = nullptr, *gamma = nullptr, *beta = nullptr,
                *wo = nullptr;
};

struct GauRun : Launched {
    std::vector<float> y; ///< [batch, length, features]
};

/// Throws InputError for shapes that there are none of, or that cannot be launched.
void checkShape(const GauShape& shape);

/// Copies the tensors (f32) to the device, runs the rung, copies the result back. Buffers are called X, Wu, Wv, Wz,
/// gamma, beta, Wo, Y, and between the kernels U, V, views (of Z, which is not kept) and state. Throws InputError as
/// checkShape does, KernelError, Cancelled.
GauRun gau(KernelLibrary& library, GauRung rung, const GauShape& shape, const GauTensors& tensors,
           const LaunchOptions& options = {});

/// Each tensor of the problem once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const GauShape& shape);
/// What the loops of a rung's kernels ask memory for, derived by hand from their tiles.
TensorTraffic algorithmicTraffic(GauRung rung, const GauShape& shape);

/// Device memory that gau takes for a rung, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(GauRung rung, const GauShape& shape);

} // namespace warplight::gpu
