// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace warplight::cpu {

/// The rungs of the ladder.
enum class SelectiveRung {
    Reference, ///< Plain in double precision, rounded once
    Plain,     ///< step by step, number by number
    Unfused,   ///< exp(Δ A), Δ B u and every state are written to memory
    Fused      ///< channels in lanes, states in registers
};

std::span<const RungInfo<SelectiveRung>> selectiveRungs();

/// The selective scan of Mamba (Gu and Dao 2023, algorithm 2, with the rule of its published code: A by zero-order
/// hold, B by Euler): for each channel, with `state` numbers h,
///   Δ_t = delta_t + bias, or softplus of that;  h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t;  y_t = C_t · h_t + D u_t,
/// and y_t times silu(z_t) where z is given. softplus(x) is x above 20.
struct SelectiveShape {
    int64_t batch = 1, dim = 0, length = 0, state = 16;
    int64_t groups = 1; ///< of channels that share B and C: channel e is of group e / (dim / groups)
    bool softplus = false;

    int64_t perGroup() const { return dim / groups; }
};

/// All contiguous, last axis fastest: u, delta, z, y [batch, dim, length]; a [dim, state]; b, c [batch, groups, state,
/// length]; d, bias [dim]; first and last state [batch, dim, state].
template <class T>
struct SelectiveTensors {
    const T *u = nullptr, *delta = nullptr, *a = nullptr, *b = nullptr, *c = nullptr;
    const T *d = nullptr, *z = nullptr, *bias = nullptr; ///< null: none
    const T* first = nullptr;                            ///< the state before the first step; null: zeros
    T* y = nullptr;
    T* last = nullptr; ///< the state after the last step; null: not wanted; may be `first`
};

constexpr int64_t largestState = 256;

/// Throws InputError, one sentence, for shapes that there are none of. Pointers are not looked at.
void checkShape(const SelectiveShape& shape);

/// Runs one rung. What is no number stays in its channel where it is in u, delta, z, A, D or bias, and in the channels
/// of its group where it is in B or C. Bitwise the same for any number of threads. Throws InputError, Cancelled,
/// std::bad_alloc.
RunCost selectiveScan(SelectiveRung rung, const SelectiveShape& shape, const SelectiveTensors<float>& tensors,
                      const RunOptions& options = {});
/// Plain in double precision throughout.
RunCost selectiveScan(const SelectiveShape& shape, const SelectiveTensors<double>& tensors,
                      const RunOptions& options = {});

/// What RunCost::extraBytes will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(SelectiveRung rung, const SelectiveShape& shape, int threads = 0);

/// Useful operations: 9 a state and step (Δ A, its exponential as one, Δ u B of which Δ u is shared, decay and sum, C h
/// and its sum), as the authors' repository counts them, and 2 a channel and step.
double flopsOf(const SelectiveShape& shape);

/// softplus with the cut that everything here makes: x above 20.
double softplusOf(double x);

} // namespace warplight::cpu
