// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// Keys of a block: as wide as a row of scores that one call turns into weights.
constexpr int64_t gauBlockKeys = 64;

/// What a gated attention unit does besides products, compiled once per instruction set. Any count.
struct GauKernels {
    int64_t lanes;
    /// y = x / (1 + e^-x); y may be x.
    void (*silu)(const float* x, float* y, int64_t count);
    /// dy becomes dy · silu'(x).
    void (*siluBackward)(const float* x, float* dy, int64_t count);
    /// y = (x · gamma + beta) · scale: a view of a row of Z.
    void (*view)(const float* x, const float* gamma, const float* beta, float scale, float* y, int64_t count);
    /// Scores become weights: max(s, 0)².
    void (*relu2)(float* s, int64_t count);
    /// Scores become weights: the distribution function of N(√½, 1/(4π)) (Ma et al. 2022, equation 16).
    void (*laplace)(float* s, int64_t count);
    /// gauBlockKeys scores in powers of two, -inf where nothing is seen, become weights against the row's running
    /// maximum; `sum` [lanes] and `row` [columns, a multiple of `lanes`] are rescaled where that moves.
    void (*softmaxBlock)(float* s, float lazyThreshold, float& max, float* sum, float* row, int64_t columns);
    /// y = x · factor.
    void (*scale)(const float* x, float factor, float* y, int64_t count);
    /// y = x · gate; y may be either.
    void (*multiply)(const float* x, const float* gate, float* y, int64_t count);
};

/// The best for this machine, or what useTarget() chose.
const GauKernels& gauKernels();

} // namespace warplight::cpu
