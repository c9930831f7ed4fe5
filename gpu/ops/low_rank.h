// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/attention.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::gpu {

/// Attention whose map has rank r (gpu/kernels/low_rank.cu). Q̃, K̃ and Ṽ are means of r segments of rows, of which
/// segment s begins at row s · rows / r; A = softmax(scale · Q̃ K̃ᵀ).
enum class LowRankMethod {
    Linformer,       ///< softmax(scale · Q (E K)ᵀ) (F V)
    Nystrom,         ///< softmax(scale · Q K̃ᵀ) A⁺ softmax(scale · Q̃ Kᵀ) V: not on a GPU
    NystromIterated, ///< the same with A⁺ by six iterations, in f32
    Pooling          ///< softmax(scale · Q K̃ᵀ) Ṽ
};

struct LowRankShape {
    AttentionShape attention; ///< not causal
    LowRankMethod method = LowRankMethod::Linformer;
    int64_t rank = 0; ///< r
};

/// Throws InputError for shapes that there are none of, or that cannot be launched.
void checkShape(const LowRankShape& shape);
/// Why the kernels do not take a method, as a clause; empty: they do.
std::string whyNot(const LowRankShape& shape);

struct LowRankRun : Launched {
    std::vector<float> o; ///< [batch, queryHeads, queryLen, headDim]
};

/// Copies the tensors (f32, contiguous; e and f [rank, keyLen], of Linformer alone) to the device, runs the kernels,
/// copies the result back; without keys O is 0 and nothing is launched. Buffers are called Q, K, V, E, F, O; between
/// the kernels Qr, Kr and Vr (few queries, keys and values), W (softmax(scale · Q̃ Kᵀ) V), A, Z and AZ (the
/// pseudo-inverse and its products), partO, m, l and partK (parts of sums that were split over blocks), and lse. Throws
/// InputError with checkShape's or whyNot's sentence, KernelError, Cancelled.
LowRankRun lowRankForward(KernelLibrary& library, const LowRankShape& shape, const float* q, const float* k,
                          const float* v, const float* e, const float* f, const LaunchOptions& options = {});

/// Each tensor of the problem once: what any implementation has to move.
TensorTraffic compulsoryTraffic(const LowRankShape& shape);
/// What the loops of the kernels ask memory for, derived by hand from their tiles.
TensorTraffic algorithmicTraffic(const LowRankShape& shape);

/// Shared memory that a block of the most demanding kernel needs, bytes.
int64_t sharedBytes(const LowRankShape& shape);
/// Device memory that lowRankForward takes, its tensors included; INT64_MAX when the size overflows.
int64_t deviceBytes(const LowRankShape& shape);

} // namespace warplight::gpu
