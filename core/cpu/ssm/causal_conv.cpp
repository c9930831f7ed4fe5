// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/ssm/causal_conv.h"

#include "core/cpu/parallel.h"
#include "core/cpu/ssm/selective_kernels.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<ConvRung>, 3> rungs{{
    {ConvRung::Reference, "reference", "double precision", "nothing: this is the formula that others are judged by"},
    {ConvRung::Plain, "stepwise", "step by step, number by number", "the formula in f32"},
    {ConvRung::Vectors, "vectors", "steps in lanes",
     "a vector of steps at a time, each of whose inputs is loaded where it lies, and silu by the fast exponential"},
}};

/// Sum of the step's inputs.
template <class T>
T sumAt(const float* x, const float* w, T sum, int64_t width, int64_t t) {
    for (int64_t k = std::max<int64_t>(0, width - 1 - t); k < width; ++k)
        sum += static_cast<T>(w[k]) * static_cast<T>(x[t - width + 1 + k]);
    return sum;
}

template <class T>
void plainRow(const ConvProblem& p, const float* x, const float* w, T bias, float* y) {
    for (int64_t t = 0; t < p.length; ++t) {
        const T sum = sumAt<T>(x, w, bias, p.width, t);
        y[t] = static_cast<float>(p.silu ? sum / (1 + std::exp(-sum)) : sum);
    }
}

} // namespace

std::span<const RungInfo<ConvRung>> convRungs() { return rungs; }

void checkShape(const ConvProblem& p) {
    if (p.batch < 0 || p.length < 0 || p.dim < 1)
        throw InputError(fmt::format("causal convolution: batch {}, dim {} and length {}, expected at least 0, 1 and 0",
                                     p.batch, p.dim, p.length));
    if (p.width < 1 || p.width > widestConv)
        throw InputError(fmt::format("causal convolution: width is {}, expected 1 to {}", p.width, widestConv));
}

RunCost causalConv(ConvRung rung, const ConvProblem& p, const RunOptions& options) {
    checkShape(p);
    constexpr int64_t piece = 1 << 16; // steps between two looks at the wish to cancel
    const int workers = workerCount(options.threads);
    const SelectiveKernels& k = selectiveKernels();
    parallelItems(p.batch * p.dim, workers, options.cancel, [&](int64_t channel, int) {
        const float *x = p.x + channel * p.length, *w = p.w + channel % p.dim * p.width;
        const float bias = p.bias ? p.bias[channel % p.dim] : 0;
        float* y = p.y + channel * p.length;
        if (rung == ConvRung::Reference)
            return plainRow<double>(p, x, w, static_cast<double>(bias), y);
        if (rung == ConvRung::Plain)
            return plainRow<float>(p, x, w, bias, y);
        const int64_t first = std::min(p.width - 1, p.length);
        for (int64_t t = 0; t < first; ++t)
            y[t] = sumAt<float>(x, w, bias, p.width, t);
        for (int64_t t = first; t < p.length; t += piece) {
            checkCancelled(options.cancel);
            k.convolve(x + t, w, p.width, bias, y + t, std::min(piece, p.length - t));
        }
        if (p.silu)
            k.silu(y, p.length);
    });
    return {0, workers};
}

double flopsOf(const ConvProblem& p) {
    return static_cast<double>(p.batch) * static_cast<double>(p.dim) * static_cast<double>(p.length) *
           (2 * static_cast<double>(p.width) + (p.silu ? 4 : 0));
}

} // namespace warplight::cpu
