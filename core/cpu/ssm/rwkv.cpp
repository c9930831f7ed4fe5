// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/ssm/rwkv.h"

#include "core/cpu/linear/kernels.h"
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

namespace warplight::cpu {
namespace {

constexpr int64_t stepsOfTile = 16;     ///< of RWKV-6 that are fetched together
constexpr int64_t numbersOfChannel = 5; ///< w, u, and the state: p, q, largest exponent

/// e^(a - m) and e^(b - m) with m the larger of both: one of them is 1.
template <class T>
struct Shares {
    T ofA, ofB;
    Shares(T a, T b) {
        const T smaller = std::exp(-std::fabs(a - b));
        ofA = a >= b ? 1 : smaller;
        ofB = a >= b ? smaller : 1;
    }
};

template <class T>
void walkChannel(const Rwkv4Shape& s, const Rwkv4Tensors& t, int64_t batch, int64_t channel,
                 const RunOptions& options) {
    const T w = static_cast<T>(t.w[channel]), u = static_cast<T>(t.u[channel]);
    T p = 0, q = 0, largest = static_cast<T>(firstExponent);
    for (int64_t step = 0; step < s.length; ++step) {
        if (step % stepsOfCall == 0)
            checkCancelled(options.cancel);
        const int64_t at = (batch * s.length + step) * s.channels + channel;
        const T k = static_cast<T>(t.k[at]), v = static_cast<T>(t.v[at]);
        const Shares<T> now(largest, u + k);
        t.o[at] = static_cast<float>((now.ofA * p + now.ofB * v) / (now.ofA * q + now.ofB));
        const T faded = largest + w;
        const Shares<T> next(faded, k);
        p = next.ofA * p + next.ofB * v;
        q = next.ofA * q + next.ofB;
        largest = faded >= k ? faded : k;
    }
}

template <class T>
void walkHead(const Rwkv6Shape& s, const Rwkv6Tensors& t, int64_t item, T* state, T* out, const RunOptions& options) {
    const int64_t head = item % s.heads;
    std::fill_n(state, s.keyDim * s.valueDim, T{0});
    for (int64_t step = 0; step < s.length; ++step) {
        checkCancelled(options.cancel);
        const int64_t row = (item / s.heads * s.length + step) * s.heads + head;
        const float *r = t.r + row * s.keyDim, *k = t.k + row * s.keyDim, *w = t.w + row * s.keyDim,
                    *u = t.u + head * s.keyDim, *v = t.v + row * s.valueDim;
        std::fill_n(out, s.valueDim, T{0});
        for (int64_t i = 0; i < s.keyDim; ++i) {
            const T query = static_cast<T>(r[i]), key = static_cast<T>(k[i]), bonus = static_cast<T>(u[i]) * key,
                    decay = std::exp(static_cast<T>(w[i]));
            T* held = state + i * s.valueDim;
            for (int64_t j = 0; j < s.valueDim; ++j) {
                const T value = static_cast<T>(v[j]);
                out[j] += query * (held[j] + bonus * value);
                held[j] = decay * held[j] + key * value;
            }
        }
        std::transform(out, out + s.valueDim, t.o + row * s.valueDim, [](T x) { return static_cast<float>(x); });
    }
    if (t.last)
        std::transform(state, state + s.keyDim * s.valueDim, t.last + item * s.keyDim * s.valueDim,
                       [](T x) { return static_cast<float>(x); });
}

template <class T>
RunCost rwkv6InLoops(const Rwkv6Shape& s, const Rwkv6Tensors& t, const RunOptions& options) {
    const int workers = workerCount(options.threads);
    Workspace space;
    const int64_t size = roundUp((s.keyDim + 1) * s.valueDim, 16);
    T* states = space.take<T>(workers * size);
    parallelItems(s.allHeads(), workers, options.cancel, [&](int64_t item, int worker) {
        T* state = states + worker * size;
        walkHead(s, t, item, state, state + s.keyDim * s.valueDim, options);
    });
    return {space.bytes(), workers};
}

RunCost rwkv4InVectors(const Rwkv4Shape& s, const Rwkv4Tensors& t, const RunOptions& options) {
    const RecurrenceKernels& kernel = recurrenceKernels();
    const int workers = workerCount(options.threads);
    Workspace space;
    float* numbers = space.take<float>(workers * numbersOfChannel * channelsOfBlock);
    const int64_t blocks = ceilDiv(s.channels, channelsOfBlock);
    parallelItems(s.batch * blocks, workers, options.cancel, [&](int64_t item, int worker) {
        const int64_t first = item % blocks * channelsOfBlock;
        Rwkv4Steps call{};
        call.channels = std::min(channelsOfBlock, s.channels - first);
        call.stride = s.channels;
        call.w = numbers + worker * numbersOfChannel * channelsOfBlock;
        call.u = call.w + channelsOfBlock;
        call.p = call.u + channelsOfBlock;
        call.q = call.p + channelsOfBlock;
        call.largest = call.q + channelsOfBlock;
        std::fill_n(call.w, (numbersOfChannel - 1) * channelsOfBlock, 0.0f);
        std::copy_n(t.w + first, call.channels, call.w);
        std::copy_n(t.u + first, call.channels, call.u);
        std::fill_n(call.largest, channelsOfBlock, static_cast<float>(firstExponent));
        for (int64_t step = 0; step < s.length; step += stepsOfCall) {
            checkCancelled(options.cancel);
            const int64_t at = (item / blocks * s.length + step) * s.channels + first;
            call.k = t.k + at, call.v = t.v + at, call.o = t.o + at;
            call.steps = std::min(stepsOfCall, s.length - step);
            kernel.stepRwkv4(call);
        }
    });
    return {space.bytes(), workers};
}

/// What a head in vectors holds: its state, some steps of its tensors and one of its output.
struct HeadPlan {
    int64_t columns, size;
    explicit HeadPlan(const Rwkv6Shape& s)
        : columns(roundUp(s.valueDim, recurrenceKernels().lanes)),
          size(roundUp((s.keyDim + stepsOfTile + 1) * columns + 4 * stepsOfTile * s.keyDim, 16)) {}
};

/// One head. Its rows lie far apart: those of some steps are fetched together, so that they are waited for once.
void walkInVectors(const Rwkv6Shape& s, const Rwkv6Tensors& t, int64_t item, const HeadPlan& plan, float* state,
                   const RunOptions& options) {
    const RecurrenceKernels& kernel = recurrenceKernels();
    const int64_t head = item % s.heads, tile = stepsOfTile * s.keyDim;
    float *values = state + s.keyDim * plan.columns, *out = values + stepsOfTile * plan.columns,
          *r = out + plan.columns, *k = r + tile, *decay = k + tile, *bonus = decay + tile;
    std::fill_n(state, plan.size, 0.0f);
    for (int64_t begin = 0; begin < s.length; begin += stepsOfTile) {
        checkCancelled(options.cancel);
        const int64_t count = std::min(stepsOfTile, s.length - begin);
        const auto rowOf = [&](int64_t i) { return (item / s.heads * s.length + begin + i) * s.heads + head; };
        for (int64_t i = 0; i < count; ++i) {
            const int64_t from = rowOf(i) * s.keyDim;
            std::copy_n(t.r + from, s.keyDim, r + i * s.keyDim);
            std::copy_n(t.k + from, s.keyDim, k + i * s.keyDim);
            std::copy_n(t.w + from, s.keyDim, bonus + i * s.keyDim);
            std::copy_n(t.v + rowOf(i) * s.valueDim, s.valueDim, values + i * plan.columns);
        }
        linearKernels().mapEach(FeatureMap::Exp, bonus, 1, count * s.keyDim, decay);
        for (int64_t i = 0; i < count; ++i)
            for (int64_t f = 0; f < s.keyDim; ++f)
                bonus[i * s.keyDim + f] = t.u[head * s.keyDim + f] * k[i * s.keyDim + f];
        for (int64_t i = 0; i < count; ++i) {
            const int64_t at = i * s.keyDim;
            kernel.stepBonus({state, s.keyDim, plan.columns, decay + at, k + at, r + at, bonus + at,
                              values + i * plan.columns, out});
            std::copy_n(out, s.valueDim, t.o + rowOf(i) * s.valueDim);
        }
    }
    for (int64_t i = 0; t.last && i < s.keyDim; ++i)
        std::copy_n(state + i * plan.columns, s.valueDim, t.last + (item * s.keyDim + i) * s.valueDim);
}

RunCost rwkv6InVectors(const Rwkv6Shape& s, const Rwkv6Tensors& t, const RunOptions& options) {
    const int workers = workerCount(options.threads);
    const HeadPlan plan(s);
    Workspace space;
    float* states = space.take<float>(workers * plan.size);
    parallelItems(s.allHeads(), workers, options.cancel, [&](int64_t item, int worker) {
        walkInVectors(s, t, item, plan, states + worker * plan.size, options);
    });
    return {space.bytes(), workers};
}

} // namespace

void checkShape(const Rwkv4Shape& s) {
    if (s.batch < 0 || s.length < 0 || s.channels < 1)
        throw InputError(
            fmt::format("batch {}, length {} and {} channels: expected at least 1 channel, and none negative", s.batch,
                        s.length, s.channels));
}

void checkShape(const Rwkv6Shape& s) {
    if (s.batch < 0 || s.length < 0 || s.heads < 1)
        throw InputError(fmt::format("batch {}, length {} and {} heads: expected at least 1 head, and none negative",
                                     s.batch, s.length, s.heads));
    if (std::min(s.keyDim, s.valueDim) < 1 || std::max(s.keyDim, s.valueDim) > largestRwkvDim)
        throw InputError(
            fmt::format("keyDim is {} and valueDim {}, expected 1 to {} each", s.keyDim, s.valueDim, largestRwkvDim));
}

RunCost rwkv4(RecurrenceRung rung, const Rwkv4Shape& s, const Rwkv4Tensors& t, const RunOptions& options) {
    checkShape(s);
    if (rung == RecurrenceRung::Vectors)
        return rwkv4InVectors(s, t, options);
    const int workers = workerCount(options.threads);
    parallelItems(s.batch * s.channels, workers, options.cancel, [&](int64_t item, int) {
        if (rung == RecurrenceRung::Reference)
            walkChannel<double>(s, t, item / s.channels, item % s.channels, options);
        else
            walkChannel<float>(s, t, item / s.channels, item % s.channels, options);
    });
    return {0, workers};
}

RunCost rwkv6(RecurrenceRung rung, const Rwkv6Shape& s, const Rwkv6Tensors& t, const RunOptions& options) {
    checkShape(s);
    return rung == RecurrenceRung::Vectors     ? rwkv6InVectors(s, t, options)
           : rung == RecurrenceRung::Reference ? rwkv6InLoops<double>(s, t, options)
                                               : rwkv6InLoops<float>(s, t, options);
}

int64_t extraBytesAtMost(RecurrenceRung rung, const Rwkv4Shape&, int threads) {
    return rung == RecurrenceRung::Vectors ? buffers({floats(workerCount(threads), numbersOfChannel * channelsOfBlock)})
                                           : 0;
}

int64_t extraBytesAtMost(RecurrenceRung rung, const Rwkv6Shape& s, int threads) {
    const int64_t workers = workerCount(threads), slack = 16;
    if (rung == RecurrenceRung::Vectors)
        return buffers({floats(workers, HeadPlan(s).size)});
    return buffers(
        {floats(workers * (rung == RecurrenceRung::Reference ? 2 : 1), (s.keyDim + 1) * s.valueDim + slack)});
}

double flopsOf(const Rwkv4Shape& s) {
    return 18 * static_cast<double>(s.batch * s.length) * static_cast<double>(s.channels);
}

double flopsOf(const Rwkv6Shape& s) {
    return 7 * static_cast<double>(s.allHeads() * s.length) * static_cast<double>(s.keyDim * s.valueDim);
}

} // namespace warplight::cpu
