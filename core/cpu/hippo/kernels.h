// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// A step of LegS in O(n) for one Δ: forward Euler has ahead = Δ, behind = 0, backward Euler the other way around,
/// bilinear Δ/2 in both.
struct LegsLengths {
    float step, ahead, behind;
};

/// A step of several memories side by side, one a lane. States are [n, lanes], all aligned to 64 bytes.
struct HippoKernels {
    int64_t lanes;
    /// next = Ā c + B̄ u: `matrix` [n + 1, n] is Ā transposed and B̄ below it.
    void (*dense)(const float* matrix, int64_t n, const float* c, const float* u, float* next);
    /// c = (I - behind A)⁻¹ (c + ahead A c + step B u): `norms` [n] = √(2k+1), `factors` [5, n] is scratch; both have
    /// room for a whole last vector in each row.
    void (*linear)(const LegsLengths& lengths, const float* norms, float* factors, int64_t n, float* c, const float* u);
};

/// The best for this machine, or what useTarget() chose.
const HippoKernels& hippoKernels();

} // namespace warplight::cpu
