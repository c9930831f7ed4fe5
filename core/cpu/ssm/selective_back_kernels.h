// SPDX-License-Identifier: GPL-3.0-or-later
// What the gradients of the selective scan are made of, compiled for each instruction set.
#pragma once

#include <cstdint>

namespace warplight::cpu {

constexpr int64_t backSteps = 32; ///< most steps of a tile

/// Some steps of as many channels as a vector has lanes, forwards again and back. Rows are a channel's steps, `stride`
/// numbers apart.
struct BackTile {
    int64_t channels = 0, steps = 0, state = 0, stride = 0;
    bool softplus = false;
    const float *u = nullptr, *delta = nullptr;
    const float *z = nullptr, *dy = nullptr;   ///< z may be null
    const float *b = nullptr, *c = nullptr;    ///< [steps, state]
    const float* a = nullptr;                  ///< A log2(e), [state, lanes]
    const float *d = nullptr, *bias = nullptr; ///< [lanes]; d may be null
    float* h = nullptr;                        ///< [state, lanes], before the first step
    float* carry = nullptr; ///< [state, lanes]: exp(Δ A) times the gradient of the state, of the step behind the last
    float* da = nullptr;    ///< [state, lanes], added to
    float *dd = nullptr, *dbias = nullptr;                 ///< [lanes], added to
    float *du = nullptr, *ddelta = nullptr, *dz = nullptr; ///< rows; dz null where z is
    float *db = nullptr, *dc = nullptr;                    ///< [steps, state, lanes], added to
    float* scratch = nullptr;                              ///< backFloats(lanes, state)
};
/// Decays and states of each step; vectors of u, delta, Δ, z, dy, dΔ.
constexpr int64_t backFloats(int64_t lanes, int64_t state) {
    return lanes * ((2 * backSteps + 1) * state + 6 * backSteps);
}

struct SelectiveBackKernels {
    int64_t lanes;
    void (*advanceTile)(const BackTile& tile);                 ///< takes h to what it is behind the last step
    void (*backTile)(const BackTile& tile);                    ///< gradients, and carry to what it is at the first step
    void (*sumLanes)(const float* x, int64_t count, float* y); ///< [count, lanes] to [count]
    /// [rows, steps], rows `stride` apart, to [steps, rows].
    void (*transpose)(const float* from, int64_t stride, int64_t rows, int64_t steps, float* to);
};

const SelectiveBackKernels& selectiveBackKernels();

} // namespace warplight::cpu
