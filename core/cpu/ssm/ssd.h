// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace warplight::cpu {

/// The rungs of Mamba-2's SSD (state space duality; Dao, Gu 2024): one sum, read as a recurrence or as a masked matrix.
enum class SsdRung {
    Reference, ///< Recurrent in double precision, rounded once
    Recurrent, ///< step by step, a state of N × P numbers a head
    Quadratic, ///< (L ∘ C Bᵀ) X, of all pairs of steps
    Chunked    ///< Quadratic within a chunk, Recurrent from chunk to chunk
};
std::span<const RungInfo<SsdRung>> ssdRungs();

/// One problem: h_t = e^{a_t} h_{t-1} + b_t x_tᵀ and y_t = h_tᵀ c_t for each head, whose b and c are those of its group
/// (as the heads follow one another). As a matrix Y = (L ∘ C Bᵀ) X with L_ij = e^{a_{j+1} + … + a_i} for j ≤ i, else 0.
struct SsdShape {
    int64_t batch = 1, length = 0, heads = 1, groups = 1;
    int64_t headDim = 0;  ///< P
    int64_t stateDim = 0; ///< N
    int64_t chunk = 64;   ///< steps of a chunk, of Chunked; at least 1, more than there are: all
    int64_t perGroup() const { return heads / groups; }
    int64_t allHeads() const { return batch * heads; }
};

/// All row-major and contiguous.
struct SsdTensors {
    const float* x = nullptr;               ///< [batch, length, heads, headDim]
    const float* a = nullptr;               ///< [batch, length, heads], logarithms of the decays: 0 keeps, -inf forgets
    const float *b = nullptr, *c = nullptr; ///< [batch, length, groups, stateDim]
    const float* initial = nullptr;         ///< the state before step 0, [batch, heads, headDim, stateDim]; null: zero
    float* y = nullptr;                     ///< [batch, length, heads, headDim]
    float* last = nullptr;                  ///< the state after the last step, as `initial`; null: not wanted
};

constexpr int64_t largestSsdDim = 512; ///< of headDim and stateDim

/// Throws InputError, one sentence, for shapes that there are none of. Pointers are not looked at.
void checkShape(const SsdShape& shape);

/// Runs one rung. Decays are multiplied up from the later step backwards, which is the masked cumulative sum of their
/// logarithms: sums are never subtracted from one another, so that nothing cancels and a decay of exactly 0 is as good
/// as any. NaN and infinities stay in their head (those of b and c in the heads of their group) and never reach a step
/// before theirs; without an initial state the decay of step 0 has nothing to act on. The result is bitwise the same
/// for any number of threads. Throws InputError, Cancelled, std::bad_alloc.
RunCost ssd(SsdRung rung, const SsdShape& shape, const SsdTensors& tensors, const RunOptions& options = {});

/// What RunCost::extraBytes will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(SsdRung rung, const SsdShape& shape, int threads = 0);

/// Floating-point operations of all heads by the parts of the chunked form, whole blocks counted on the diagonal (Dao,
/// Gu 2024, section 6): 2TQN for scores, 2TQP for what they weigh, 2TNP for states, 2(T/Q)NP to pass them on, 2TNP for
/// what is read from them.
struct SsdFlops {
    double scores = 0, pairs = 0, states = 0, passing = 0, outputs = 0;
    double all() const { return scores + pairs + states + passing + outputs; }
};
SsdFlops chunkedFlops(const SsdShape& shape);
/// Of a rung: chunkedFlops, 4TNP a head for what goes step by step, T(T+1)(N+P) and 2TNP for the last state of
/// Quadratic.
double flopsOf(SsdRung rung, const SsdShape& shape);

} // namespace warplight::cpu
