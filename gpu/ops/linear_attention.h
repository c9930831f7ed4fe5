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

/// phi, applied to x = √scale · q and x = √scale · k (gpu/kernels/linear_attention.cuh has the same numbers).
enum class FeatureMap : int32_t {
    Elu1,    ///< x > 0 ? x + 1 : e^x
    Relu,    ///< max(x, 0)
    Relu2,   ///< max(x, 0)²
    Exp,     ///< e^x
    Softmax, ///< of Q over its features, of K over positions; not causal
    Cos,     ///< [1; x/|x|]
    Taylor2, ///< [1; x; x ⊗ x/√2]
    Favor,   ///< e^(ω·x - |x|²/2 - shift)/√m for m rows ω
    Identity
};
/// How the state takes a key and its value; formulas in gpu/kernels/linear_attention.cuh.
enum class LinearRule { Add, Retention, Gla, Delta, GatedDelta };
std::string_view
name(FeatureMap map); ///< "elu1", "relu", "relu2", "exp", "softmax", "cos", "taylor2", "favor", "identity"
std::string_view name(LinearRule rule); ///< "add", "retention", "gla", "delta", "gated-delta"

/// The rungs of the ladder on the GPU (gpu/kernels/linear_attention.cu, _chunked.cu, _delta.cu, _mma.cu).
enum class LinearRung { Recurrent, Chunked, ChunkedMma };
struct LinearRungInfo {
    LinearRung id;
    std::string_view name;     ///< as on the command line: "chunked-mma"
    std::string_view title;    ///< one line: what this rung does
    std::string_view improves; ///< what it changes against the rung before, and why that helps
    bool halfInputs;           ///< f16 and bf16 instead of f32
};
std::span<const LinearRungInfo> linearRungs();
const LinearRungInfo& info(LinearRung rung);

/// o_t = phi(q_t)ᵀ S_t, divided, where `normalised`, by the same for values of 1. Causal: S_t is the state after key t;
/// otherwise that after the last key.
struct LinearShape {
    int64_t batch = 1, heads = 1, queryLen = 0, keyLen = 0, headDim = 0, valueDim = 0;
    FeatureMap map = FeatureMap::Elu1;
    LinearRule rule = LinearRule::Add;
    bool causal = true, normalised = true;
    float scale = 1;            ///< its root is a factor of queries and keys; cos does not look at it
    int64_t randomFeatures = 0; ///< of favor: m
    int64_t chunk = 64;         ///< steps of a chunk, of rungs that have chunks: one of linearChunks
    bool keepsState = false;    ///< S and z after the last key are wanted, too
    int64_t allHeads() const { return batch * heads; }
};
inline constexpr int64_t linearChunks[] = {16, 32, 64, 128};
inline constexpr int64_t largestLinearDim = 512;         ///< of queries, keys and values
inline constexpr int64_t largestRecurrentFeatures = 256; ///< whose columns fit the registers

/// How many features phi has.
int64_t features(const LinearShape& shape);
/// Numbers of a step's decay: none, one, or one a feature.
int64_t decaysPerStep(const LinearShape& shape);
/// Whether a rule takes beta.
bool takesBeta(LinearRule rule);

/// Throws InputError for shapes that there are none of, or that no rung can launch.
void checkShape(const LinearShape& shape);
/// Why a rung does not take a shape and format, as a clause; empty: it does.
std::string whyNot(LinearRung rung, const LinearShape& shape, number::Format format);

/// Row-major and contiguous: q [batch, heads, queryLen, headDim], k [batch, heads, keyLen, headDim], v [batch, heads,
/// keyLen, valueDim], decay [batch, heads, keyLen] or of gla [batch, heads, keyLen, features], factors and not their
/// logarithms, beta [batch, heads, keyLen], projection of favor [randomFeatures, headDim], its ω.
struct LinearTensors {
    const float *q = nullptr, *k = nullptr, *v = nullptr;
    const float* decay = nullptr; ///< null with retention: RetNet's 1 - 2^(-5-head)
    const float* beta = nullptr;
    const float* projection = nullptr;
};

struct LinearRun : Launched {
    std::vector<float> o;        ///< [batch, heads, queryLen, valueDim]
    std::vector<float> state, z; ///< where kept: [batch, heads, features, valueDim] and [batch, heads, features]
};

/// Copies the tensors (f32, contiguous; Q, K, V and O rounded to the format) to the device, runs the rung, copies the
/// result back. Buffers are called Q, K, V, O, decay, beta, state, z, between the kernels states and sums (what chunks
/// begin with), added and ones (what steps of a rule that overwrites add), phiQ and phiK, and of favor omega, largest
/// and shift. Throws InputError with checkShape's or whyNot's sentence or for a tensor that is missing, KernelError,
/// Cancelled.
LinearRun linearAttention(KernelLibrary& library, LinearRung rung, const LinearShape& shape,
                          const LinearTensors& tensors, number::Format format = number::Format::F32,
                          const LaunchOptions& options = {});

/// Each tensor of the problem once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const LinearShape& shape, number::Format format = number::Format::F32);
/// What the loops of a rung's kernels ask memory for, derived by hand from their tiles.
TensorTraffic algorithmicTraffic(LinearRung rung, const LinearShape& shape,
                                 number::Format format = number::Format::F32);

/// Device memory that linearAttention takes for a rung, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(LinearRung rung, const LinearShape& shape, number::Format format = number::Format::F32);

} // namespace warplight::gpu
