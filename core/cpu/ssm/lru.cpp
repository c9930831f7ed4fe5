// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/ssm/lru.h"

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/ssm/recurrence_kernels.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <limits>

namespace warplight::cpu {
namespace {

constexpr int64_t coefficientsOfChannel = 3; ///< λ's parts and γ

template <class T>
void walkChannel(const LruShape& s, const LruTensors& t, int64_t batch, int64_t channel, const RunOptions& options) {
    const LruCoefficients exact =
        lruCoefficients(static_cast<double>(t.nu[channel]), static_cast<double>(t.theta[channel]));
    const T re = static_cast<T>(exact.re), im = static_cast<T>(exact.im), gamma = static_cast<T>(exact.gamma);
    T x = 0, y = 0;
    for (int64_t step = 0; step < s.length; ++step) {
        if (step % stepsOfCall == 0)
            checkCancelled(options.cancel);
        const int64_t at = 2 * ((batch * s.length + step) * s.channels + channel);
        const T real = re * x - im * y + gamma * static_cast<T>(t.u[at]);
        y = re * y + im * x + gamma * static_cast<T>(t.u[at + 1]);
        x = real;
        t.states[at] = static_cast<float>(x);
        t.states[at + 1] = static_cast<float>(y);
    }
}

RunCost inVectors(const LruShape& s, const LruTensors& t, const RunOptions& options) {
    const RecurrenceKernels& kernel = recurrenceKernels();
    const int workers = workerCount(options.threads);
    Workspace space;
    const int64_t blocks = ceilDiv(s.channels, channelsOfBlock), width = roundUp(s.channels, channelsOfBlock);
    float* coefficients = space.take<float>(coefficientsOfChannel * width); // block by block: λ's parts, γ
    std::fill_n(coefficients, coefficientsOfChannel * width, 0.0f);
    for (int64_t channel = 0; channel < s.channels; ++channel) {
        const LruCoefficients c =
            lruCoefficients(static_cast<double>(t.nu[channel]), static_cast<double>(t.theta[channel]));
        float* to = coefficients + channel / channelsOfBlock * coefficientsOfChannel * channelsOfBlock +
                    channel % channelsOfBlock;
        to[0] = static_cast<float>(c.re);
        to[channelsOfBlock] = static_cast<float>(c.im);
        to[2 * channelsOfBlock] = static_cast<float>(c.gamma);
    }
    float* states = space.take<float>(workers * 2 * channelsOfBlock);
    parallelItems(s.batch * blocks, workers, options.cancel, [&](int64_t item, int worker) {
        const int64_t block = item % blocks, first = block * channelsOfBlock;
        LruSteps call{};
        call.re = coefficients + block * coefficientsOfChannel * channelsOfBlock;
        call.im = call.re + channelsOfBlock;
        call.gamma = call.im + channelsOfBlock;
        call.x = states + worker * 2 * channelsOfBlock;
        call.y = call.x + channelsOfBlock;
        std::fill_n(call.x, 2 * channelsOfBlock, 0.0f);
        call.channels = std::min(channelsOfBlock, s.channels - first);
        call.stride = 2 * s.channels;
        for (int64_t step = 0; step < s.length; step += stepsOfCall) {
            checkCancelled(options.cancel);
            const int64_t at = 2 * ((item / blocks * s.length + step) * s.channels + first);
            call.u = t.u + at;
            call.states = t.states + at;
            call.steps = std::min(stepsOfCall, s.length - step);
            kernel.stepLru(call);
        }
    });
    return {space.bytes(), workers};
}

} // namespace

LruCoefficients lruCoefficients(double nu, double theta) {
    const double decay = std::exp(nu), angle = std::exp(theta), size = std::exp(-decay);
    return {size * std::cos(angle), size * std::sin(angle), std::sqrt(-std::expm1(-2 * decay))};
}

void checkShape(const LruShape& s) {
    if (s.batch < 0 || s.length < 0 || s.channels < 1)
        throw InputError(
            fmt::format("batch {}, length {} and {} channels: expected at least 1 channel, and none negative", s.batch,
                        s.length, s.channels));
}

RunCost lru(RecurrenceRung rung, const LruShape& s, const LruTensors& t, const RunOptions& options) {
    checkShape(s);
    if (rung == RecurrenceRung::Vectors)
        return inVectors(s, t, options);
    const int workers = workerCount(options.threads);
    parallelItems(s.batch * s.channels, workers, options.cancel, [&](int64_t item, int) {
        if (rung == RecurrenceRung::Reference)
            walkChannel<double>(s, t, item / s.channels, item % s.channels, options);
        else
            walkChannel<float>(s, t, item / s.channels, item % s.channels, options);
    });
    return {0, workers};
}

int64_t extraBytesAtMost(RecurrenceRung rung, const LruShape& s, int threads) {
    if (rung != RecurrenceRung::Vectors)
        return 0;
    return buffers({floats(coefficientsOfChannel, s.channels + channelsOfBlock),
                    floats(workerCount(threads), 2 * channelsOfBlock)});
}

double flopsOf(const LruShape& s) {
    return 10 * static_cast<double>(s.batch * s.length) * static_cast<double>(s.channels);
}

} // namespace warplight::cpu
