// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/ssm/memory.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::ssm {

/// Memories of many channels, all by the same measure and rule (Gu et al. 2020).
enum class HippoRung {
    Reference, ///< a Memory a channel, in f64
    Dense,     ///< Ā c + B̄ u in f32; LegS has a matrix a step, made in f64
    Linear     ///< LegS by Euler's rules or the bilinear one in O(n)
};
std::span<const cpu::RungInfo<HippoRung>> hippoRungs();

constexpr int64_t largestHippo = 512; ///< state: matrices are made in O(n³)

struct HippoShape {
    int64_t channels = 0, length = 0;
    int64_t every = 0;     ///< steps between the states that are kept; 0: the last alone
    MemorySettings memory; ///< theta in samples: `step` is 1
};
/// States that are kept of a channel: after every `every` steps, and after the last.
int64_t kept(const HippoShape& shape);

/// Throws InputError for sizes that do not exist and as hippo() does.
void checkShape(const HippoShape& shape);
/// Why a rung cannot do it, as a clause; empty: it can.
std::string whyNot(HippoRung rung, const HippoShape& shape);

struct HippoTensors {
    const float* u;      ///< [channels, length]
    float* coefficients; ///< [channels, kept, n]
};
/// What is no number in one channel stays in it. Throws InputError as checkShape() and whyNot() say; Cancelled.
cpu::RunCost hippo(HippoRung rung, const HippoShape& shape, const HippoTensors& tensors,
                   const cpu::RunOptions& options = {});

/// What RunCost::extraBytes will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(HippoRung rung, const HippoShape& shape, int threads = 0);

/// Floating-point operations: Dense 2n(n + 1) a step and channel, and for LegS what makes a step's matrix; Linear 10n.
double flopsOf(HippoRung rung, const HippoShape& shape);

/// How many matrices Dense goes by: one, of LegS one a step.
int64_t matricesOf(const HippoShape& shape);
/// These [matrices, n + 1, n] in f32: Ā transposed, B̄ below. Throws InputError, Cancelled.
std::vector<float> hippoMatrices(const HippoShape& shape, const cpu::RunOptions& options = {});

} // namespace warplight::ssm
