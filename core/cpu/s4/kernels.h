// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// Recurrences of several channels side by side, one a lane, in one type: y [steps, lanes] of u [steps, lanes]. All
/// aligned to 64 bytes; states are left as they are after the last step.
template <class T>
struct ChannelRecurrences {
    int64_t lanes; ///< channels of a group
    /// x = a x + w u, y = Σ Re x over the states: `factors` [states, 4, lanes] are a and w, real and imaginary part
    /// each, `state` [states, 2, lanes]. The number of states is even.
    void (*diagonal)(const T* factors, T* state, int64_t states, const T* u, T* y, int64_t steps);
    /// LegS by the bilinear rule in O(n): `factors` [n, 4, lanes] as legsFactors() has them, `norms` [n] = √(2k+1),
    /// `state` [n, lanes].
    void (*legs)(const T* factors, const T* norms, T* state, int64_t n, const T* u, T* y, int64_t steps);
};

struct S4Kernels {
    ChannelRecurrences<float> f32;
    ChannelRecurrences<double> f64;
    int64_t outputsAtOnce; ///< of convolve()
    /// y[k] = Σ_j kernel[j] u[k - j] for outputsAtOnce numbers from k = `begin`, j = 0 … min(`length`, begin +
    /// outputsAtOnce) - 1. u has outputsAtOnce zeros before its first number, and as many numbers behind its last.
    void (*convolve)(const float* kernel, int64_t length, const float* u, int64_t begin, float* y);
};

/// A step of LegS by the bilinear rule, λ = Δ/2, from a state c with Σ = Σ_(k <= n) √(2k+1) c_k - 2u is forward
/// substitution: z_n = p c_n - q Σ - q S_(n-1) and S_n = g S_(n-1) + √(2n+1) (p c_n - q Σ), S_n being Σ_(k <= n)
/// √(2k+1) z_k. The new state is z.
struct LegsFactors {
    double p, q, g;
};
LegsFactors legsFactors(int64_t n, double lambda);

/// The best for this machine, or what useTarget() chose.
const S4Kernels& s4Kernels();

} // namespace warplight::cpu
