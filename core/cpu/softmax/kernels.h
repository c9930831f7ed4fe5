// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// Building blocks of the softmax rungs, compiled once per instruction set. Any count.
struct SoftmaxKernels {
    /// The maximum of x; a NaN may or may not be passed over. -inf for none.
    float (*maximum)(const float* x, int64_t count);
    /// Σ e^(x[i] - max).
    double (*sum)(const float* x, int64_t count, float max);
    /// Both at once by the online recurrence (Milakov and Gimelshein 2018, algorithm 3): max as above, sum against it.
    void (*maximumAndSum)(const float* x, int64_t count, float& max, double& sum);
    /// y[i] = e^(x[i] - max) · factor.
    void (*scale)(const float* x, float* y, int64_t count, float max, float factor);
    /// Both without a maximum: e^x, which is infinite above 88.72.
    double (*sumAsItStands)(const float* x, int64_t count);
    void (*scaleAsItStands)(const float* x, float* y, int64_t count, float factor);
};

/// The best for this machine, or what useTarget() chose.
const SoftmaxKernels& softmaxKernels();

} // namespace warplight::cpu
