// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs of the selective scan, behind selectiveScan.
#pragma once

#include "core/cpu/ssm/selective_backward.h"
#include "core/cpu/ssm/selective_scan.h"

#include <cmath>
#include <cstdint>

namespace warplight::cpu {

RunCost unfusedScan(const SelectiveShape& s, const SelectiveTensors<float>& t, const RunOptions& options);
RunCost fusedScan(const SelectiveShape& s, const SelectiveTensors<float>& t, const RunOptions& options);
int64_t fusedBytesAtMost(const SelectiveShape& s, int threads);
RunCost fusedBackward(const SelectiveShape& s, const SelectiveTensors<float>& t, const SelectiveGradients<float>& g,
                      const RunOptions& options);
int64_t fusedBackwardBytesAtMost(const SelectiveShape& s, int threads);

/// Δ of a step.
template <class T>
T stepSize(T delta, T bias, bool softplus) {
    const T x = delta + bias;
    return !softplus || x > 20 ? x : std::log1p(std::exp(x));
}

template <class T>
T sigmoid(T x) {
    return 1 / (1 + std::exp(-x));
}

/// Which group of B and C a channel [batch, dim] belongs to, as an index of [batch, groups].
inline int64_t groupOf(const SelectiveShape& s, int64_t channel) {
    return channel / s.dim * s.groups + channel % s.dim / s.perGroup();
}

} // namespace warplight::cpu
