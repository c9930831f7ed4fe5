// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/ssm/ssd.h"

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/ssm/recurrence_kernels.h"
#include "core/cpu/ssm/ssd_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<SsdRung>, 4> rungs{{
    {SsdRung::Reference, "reference", "double precision, step by step",
     "nothing: this is the formula that every other rung is judged by"},
    {SsdRung::Recurrent, "recurrent", "the state, step by step",
     "the state of a head stays in the first caches, and each of its numbers is touched once a step; one step waits "
     "for the other"},
    {SsdRung::Quadratic, "quadratic", "(L ∘ C Bᵀ) X: all pairs of steps, decayed and masked",
     "matrix products, and no state: the same sum as attention without softmax; pays with T² pairs"},
    {SsdRung::Chunked, "chunked", "quadratic within a chunk, recurrent between chunks",
     "matrix products with T work; C Bᵀ is made once for all heads of a group"},
}};

/// One head in double precision.
void referenceHead(const SsdShape& s, const SsdTensors& t, int64_t batch, int64_t head, double* state, double* out,
                   const RunOptions& options) {
    const int64_t p = s.headDim, n = s.stateDim, group = head / s.perGroup(), which = batch * s.heads + head;
    std::fill_n(state, p * n, 0.0);
    if (t.initial)
        std::copy_n(t.initial + which * p * n, p * n, state);
    for (int64_t step = 0; step < s.length; ++step) {
        checkCancelled(options.cancel);
        const int64_t row = batch * s.length + step;
        const double decay = std::exp(static_cast<double>(t.a[row * s.heads + head]));
        const float *x = t.x + (row * s.heads + head) * p, *b = t.b + (row * s.groups + group) * n,
                    *c = t.c + (row * s.groups + group) * n;
        const bool decays = step > 0 || t.initial;
        for (int64_t i = 0; i < p; ++i) {
            double sum = 0;
            for (int64_t j = 0; j < n; ++j) {
                double& h = state[i * n + j];
                h = (decays ? decay * h : 0) + static_cast<double>(b[j]) * static_cast<double>(x[i]);
                sum += static_cast<double>(c[j]) * h;
            }
            out[i] = sum;
        }
        std::transform(out, out + p, t.y + (row * s.heads + head) * p, [](double v) { return static_cast<float>(v); });
    }
    if (t.last)
        std::transform(state, state + p * n, t.last + which * p * n, [](double v) { return static_cast<float>(v); });
}

RunCost referenceSsd(const SsdShape& s, const SsdTensors& t, const RunOptions& options) {
    const int workers = workerCount(options.threads);
    Workspace space;
    const int64_t size = roundUp(s.headDim * (s.stateDim + 1), 8);
    double* states = space.take<double>(workers * size);
    parallelItems(s.allHeads(), workers, options.cancel, [&](int64_t item, int worker) {
        double* state = states + worker * size;
        referenceHead(s, t, item / s.heads, item % s.heads, state, state + s.headDim * s.stateDim, options);
    });
    return {space.bytes(), workers};
}

} // namespace

std::span<const RungInfo<SsdRung>> ssdRungs() { return rungs; }

void checkShape(const SsdShape& s) {
    if (s.batch < 0 || s.length < 0 || s.heads < 1)
        throw InputError(fmt::format("batch {}, length {} and {} heads: expected at least 1 head, and none negative",
                                     s.batch, s.length, s.heads));
    if (s.groups < 1 || s.heads % s.groups != 0)
        throw InputError(
            fmt::format("{} groups of B and C for {} heads, expected a divisor of these", s.groups, s.heads));
    if (s.headDim < 1 || s.headDim > largestSsdDim)
        throw InputError(fmt::format("headDim is {}, expected 1 to {}", s.headDim, largestSsdDim));
    if (s.stateDim < 1 || s.stateDim > largestSsdDim)
        throw InputError(fmt::format("stateDim is {}, expected 1 to {}", s.stateDim, largestSsdDim));
    if (s.chunk < 1)
        throw InputError(fmt::format("a chunk of {} steps, expected at least 1", s.chunk));
}

float* decaysOf(const SsdShape& s, const SsdTensors& t, const RunOptions& options, Workspace& space) {
    float* decays = space.take<float>(s.allHeads() * s.length);
    parallelItems(s.allHeads(), workerCount(options.threads), options.cancel, [&](int64_t item, int) {
        const float* from = t.a + item / s.heads * s.length * s.heads + item % s.heads;
        for (int64_t step = 0; step < s.length; ++step)
            decays[item * s.length + step] = step > 0 || t.initial ? std::exp(from[step * s.heads]) : 0;
    });
    return decays;
}

void toRows(const SsdShape& s, const float* state, int64_t columns, float* rows) {
    for (int64_t n = 0; n < s.stateDim; ++n)
        for (int64_t p = 0; p < columns; ++p)
            rows[n * columns + p] = p < s.headDim ? state[p * s.stateDim + n] : 0;
}

void fromRows(const SsdShape& s, const float* rows, int64_t columns, float* state) {
    for (int64_t p = 0; p < s.headDim; ++p)
        for (int64_t n = 0; n < s.stateDim; ++n)
            state[p * s.stateDim + n] = rows[n * columns + p];
}

RunCost recurrentSsd(const SsdShape& s, const SsdTensors& t, const RunOptions& options) {
    const RecurrenceKernels& kernel = recurrenceKernels();
    const int workers = workerCount(options.threads);
    Workspace space;
    const float* decays = decaysOf(s, t, options, space);
    const int64_t columns = roundUp(s.headDim, kernel.lanes), size = roundUp((s.stateDim + 2) * columns, 16);
    const bool pads = columns != s.headDim;
    float* states = space.take<float>(workers * size);
    parallelItems(s.allHeads(), workers, options.cancel, [&](int64_t item, int worker) {
        float *state = states + worker * size, *value = state + s.stateDim * columns, *out = value + columns;
        std::fill_n(state, size, 0.0f);
        const int64_t states = s.headDim * s.stateDim, group = item % s.heads / s.perGroup();
        if (t.initial)
            toRows(s, t.initial + item * states, columns, state);
        for (int64_t step = 0; step < s.length; ++step) {
            checkCancelled(options.cancel);
            const int64_t row = item / s.heads * s.length + step, at = (row * s.heads + item % s.heads) * s.headDim,
                          shared = (row * s.groups + group) * s.stateDim;
            if (pads)
                std::copy_n(t.x + at, s.headDim, value);
            kernel.stepState({state, s.stateDim, columns, decays[item * s.length + step], t.b + shared, t.c + shared,
                              pads ? value : t.x + at, pads ? out : t.y + at});
            if (pads)
                std::copy_n(out, s.headDim, t.y + at);
        }
        if (t.last)
            fromRows(s, state, columns, t.last + item * states);
    });
    return {space.bytes(), workers};
}

RunCost ssd(SsdRung rung, const SsdShape& s, const SsdTensors& t, const RunOptions& options) {
    checkShape(s);
    switch (rung) {
    case SsdRung::Reference:
        return referenceSsd(s, t, options);
    case SsdRung::Recurrent:
        return recurrentSsd(s, t, options);
    case SsdRung::Quadratic:
        return chunkedSsd(s, std::max<int64_t>(s.length, 1), t, options);
    case SsdRung::Chunked:
        return chunkedSsd(s, s.chunk, t, options);
    }
    return {};
}

int64_t extraBytesAtMost(SsdRung rung, const SsdShape& s, int threads) {
    const int64_t workers = workerCount(threads), lanes = recurrenceKernels().lanes, slack = 16;
    switch (rung) {
    case SsdRung::Reference:
        return buffers({floats(2 * workers, s.headDim * (s.stateDim + 1) + slack)});
    case SsdRung::Recurrent:
        return buffers({floats(saturatedProduct(s.allHeads(), s.length), 1),
                        floats(workers, (s.stateDim + 2) * roundUp(s.headDim, lanes) + slack)});
    default:
        return chunkedSsdBytesAtMost(s, rung == SsdRung::Chunked ? s.chunk : std::max<int64_t>(s.length, 1), threads);
    }
}

SsdFlops chunkedFlops(const SsdShape& s) {
    const auto steps = static_cast<double>(s.allHeads() * s.length), n = static_cast<double>(s.stateDim),
               p = static_cast<double>(s.headDim),
               q = static_cast<double>(std::min(s.chunk, std::max<int64_t>(s.length, 1)));
    return {2 * steps * q * n, 2 * steps * q * p, 2 * steps * n * p, 2 * steps / q * n * p, 2 * steps * n * p};
}

double flopsOf(SsdRung rung, const SsdShape& s) {
    if (rung == SsdRung::Chunked)
        return chunkedFlops(s).all();
    const auto steps = static_cast<double>(s.allHeads() * s.length), n = static_cast<double>(s.stateDim),
               p = static_cast<double>(s.headDim);
    return rung == SsdRung::Quadratic ? steps * static_cast<double>(s.length + 1) * (n + p) + 2 * steps * n * p
                                      : 4 * steps * n * p;
}

} // namespace warplight::cpu
