// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::model {

/// What AdamW does to one parameter at one step (Loshchilov and Hutter 2019, algorithm 2), with what is the same for
/// all numbers of a tensor worked out before.
struct AdamWStep {
    float gradientScale = 1; ///< what clipping leaves of the gradients
    float beta1 = 0, beta2 = 0;
    float keep = 1;        ///< 1 - rate · weightDecay
    float rate = 0;        ///< rate / (1 - beta1^t)
    float secondScale = 0; ///< 1 / sqrt(1 - beta2^t)
    float epsilon = 0;
};

/// Building blocks of the layers, compiled once per instruction set. Any count, unless it says otherwise.
struct ModelKernels {
    /// y[i] = a[i] + b[i]; y may be a or b.
    void (*add)(const float* a, const float* b, float* y, int64_t count);
    /// y[i] = a[i] + b[i] + c[i].
    void (*addThree)(const float* a, const float* b, const float* c, float* y, int64_t count);
    /// Σ a[i] · b[i].
    float (*dot)(const float* a, const float* b, int64_t count);
    /// y[i] = Σ_k x[k] · rows[k · stride + i]: a row times `count` columns of a matrix of `depth` rows. The sum of a
    /// column does not depend on which columns are taken together.
    void (*rowTimesColumns)(const float* x, int64_t depth, const float* rows, int64_t stride, float* y, int64_t count);
    /// Mean, and 1 / sqrt(variance + epsilon).
    void (*moments)(const float* x, int64_t count, float epsilon, float& mean, float& scale);
    /// y = (x - mean) · scale · weight + bias.
    void (*normalise)(const float* x, int64_t count, float mean, float scale, const float* weight, const float* bias,
                      float* y);
    /// dx += the gradient of normalise with respect to x, through mean and scale as well.
    void (*normaliseBackward)(const float* x, const float* dy, int64_t count, float mean, float scale,
                              const float* weight, float* dx);
    /// dWeight += dy · (x - mean) · scale, dBias += dy.
    void (*normaliseColumns)(const float* x, const float* dy, int64_t count, float mean, float scale, float* dWeight,
                             float* dBias);
    /// y = gelu(x) = x/2 · (1 + tanh(sqrt(2/π) · (x + 0.044715 x³))) (Hendrycks and Gimpel 2016, section 2).
    void (*gelu)(const float* x, int64_t count, float* y);
    /// dy becomes dy · gelu'(x).
    void (*geluBackward)(const float* x, int64_t count, float* dy);
    /// One step; count a multiple of 16.
    void (*adamW)(const AdamWStep& step, const float* gradients, int64_t count, float* weights, float* first,
                  float* second);
};

/// The best for this machine, or what cpu::useTarget() chose.
const ModelKernels& modelKernels();

} // namespace warplight::model
