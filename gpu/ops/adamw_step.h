// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/error.h"

#include <cmath>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::gpu {

/// What a step of AdamW goes by (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, with weight decay times the
/// learning rate, as PyTorch has it).
struct AdamwStep {
    double learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 1e-2;
    int64_t number = 1;        ///< of the step, from 1
    double gradientFactor = 1; ///< gradients are multiplied by it first: 1 / loss scale
};

/// Throws InputError for a step below 1 or betas that are not within 0 and 1.
inline void checkStep(const AdamwStep& s) {
    if (s.number < 1)
        throw InputError(fmt::format("step {}: expected at least 1", s.number));
    for (const double beta : {s.beta1, s.beta2})
        if (!(beta >= 0 && beta < 1))
            throw InputError(fmt::format("beta {}: expected at least 0 and less than 1", beta));
}

/// The step's numbers as they are used with each parameter: Constants of gpu/kernels/adamw.cu.
template <class Number>
struct AdamwConstants {
    explicit AdamwConstants(const AdamwStep& s)
        : gradientFactor(static_cast<Number>(s.gradientFactor)),
          decay(static_cast<Number>(1 - s.learningRate * s.weightDecay)),
          ofGradient(static_cast<Number>(1 - s.beta1)),
          beta2(static_cast<Number>(s.beta2)),
          ofSquare(static_cast<Number>(1 - s.beta2)),
          rootFactor(static_cast<Number>(1 / std::sqrt(1 - std::pow(s.beta2, static_cast<double>(s.number))))),
          epsilon(static_cast<Number>(s.epsilon)),
          stepSize(static_cast<Number>(s.learningRate / (1 - std::pow(s.beta1, static_cast<double>(s.number))))) {}

    Number gradientFactor, decay, ofGradient, beta2, ofSquare, rootFactor, epsilon, stepSize;

    /// One parameter's step.
    void update(Number& w, Number g, Number& m, Number& v) const {
        g *= gradientFactor;
        w *= decay;
        m += (g - m) * ofGradient;
        v = v * beta2 + ofSquare * (g * g);
        w -= stepSize * (m / (std::sqrt(v) * rootFactor + epsilon));
    }
};
static_assert(sizeof(AdamwConstants<float>) == 8 * sizeof(float));

} // namespace warplight::gpu
