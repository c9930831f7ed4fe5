// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/ssm/selective_scan.h"

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/ssm/selective_rungs.h"
#include "core/cpu/workspace.h"
#include "core/error.h"
#include "gpu/host/memory_budget.h"

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <string>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<SelectiveRung>, 4> rungs{{
    {SelectiveRung::Reference, "reference", "double precision, step by step",
     "nothing: this is the formula that every other rung is judged by"},
    {SelectiveRung::Plain, "stepwise", "step by step, number by number",
     "the formula in f32: one exponential after the other, one channel after the other"},
    {SelectiveRung::Unfused, "unfused", "decays, inputs and all states in memory",
     "exponentials by vectors of steps and states, as a framework's operators do; pays with three tensors that are "
     "`state` times as large as u"},
    {SelectiveRung::Fused, "fused", "channels in lanes, states in registers",
     "no state goes to memory: a vector of channels keeps its states in registers while steps go by, so that "
     "exponentials are all that is left"},
}};

/// One channel [batch, dim]; T is what is computed in, In what is stored.
template <class In, class T>
void plainChannel(const SelectiveShape& s, const SelectiveTensors<In>& t, int64_t channel, T* h,
                  const std::atomic<bool>* cancel) {
    const int64_t e = channel % s.dim, group = groupOf(s, channel) * s.state * s.length;
    const In *a = t.a + e * s.state, *b = t.b + group, *c = t.c + group;
    const auto optional = [](const In* x, int64_t i, T otherwise) { return x ? static_cast<T>(x[i]) : otherwise; };
    for (int64_t n = 0; n < s.state; ++n)
        h[n] = optional(t.first, channel * s.state + n, 0);
    const T d = optional(t.d, e, 0), bias = optional(t.bias, e, 0);
    for (int64_t step = 0; step < s.length; ++step) {
        if (step % 1024 == 0)
            checkCancelled(cancel);
        const int64_t at = channel * s.length + step;
        const T size = stepSize<T>(static_cast<T>(t.delta[at]), bias, s.softplus), u = static_cast<T>(t.u[at]);
        T y = 0;
        for (int64_t n = 0; n < s.state; ++n) {
            h[n] = std::exp(size * static_cast<T>(a[n])) * h[n] + size * u * static_cast<T>(b[n * s.length + step]);
            y += static_cast<T>(c[n * s.length + step]) * h[n];
        }
        if (t.d)
            y += d * u;
        if (t.z)
            y *= static_cast<T>(t.z[at]) * sigmoid(static_cast<T>(t.z[at]));
        t.y[at] = static_cast<In>(y);
    }
    for (int64_t n = 0; t.last && n < s.state; ++n)
        t.last[channel * s.state + n] = static_cast<In>(h[n]);
}

template <class In, class T>
RunCost plainScan(const SelectiveShape& s, const SelectiveTensors<In>& t, const RunOptions& options) {
    const int workers = workerCount(options.threads);
    Workspace space;
    T* states = space.take<T>(workers * s.state);
    parallelItems(s.batch * s.dim, workers, options.cancel, [&](int64_t channel, int worker) {
        plainChannel<In, T>(s, t, channel, states + worker * s.state, options.cancel);
    });
    return {space.bytes(), workers};
}

} // namespace

std::span<const RungInfo<SelectiveRung>> selectiveRungs() { return rungs; }

void checkShape(const SelectiveShape& s) {
    if (s.batch < 0 || s.length < 0)
        throw InputError(
            fmt::format("selective scan: batch {} and length {}, expected neither to be negative", s.batch, s.length));
    if (s.dim < 1)
        throw InputError(fmt::format("selective scan: dim is {}, expected at least 1", s.dim));
    if (s.state < 1 || s.state > largestState)
        throw InputError(fmt::format("selective scan: state is {}, expected 1 to {}", s.state, largestState));
    if (s.groups < 1 || s.dim % s.groups != 0)
        throw InputError(
            fmt::format("selective scan: {} groups of B and C, expected a divisor of dim, {}", s.groups, s.dim));
}

RunCost selectiveScan(SelectiveRung rung, const SelectiveShape& s, const SelectiveTensors<float>& t,
                      const RunOptions& options) {
    checkShape(s);
    switch (rung) {
    case SelectiveRung::Reference:
        return plainScan<float, double>(s, t, options);
    case SelectiveRung::Plain:
        return plainScan<float, float>(s, t, options);
    case SelectiveRung::Unfused:
        return unfusedScan(s, t, options);
    case SelectiveRung::Fused:
        return fusedScan(s, t, options);
    }
    return {};
}

RunCost selectiveScan(const SelectiveShape& s, const SelectiveTensors<double>& t, const RunOptions& options) {
    checkShape(s);
    return plainScan<double, double>(s, t, options);
}

int64_t extraBytesAtMost(SelectiveRung rung, const SelectiveShape& s, int threads) {
    const int64_t workers = workerCount(threads);
    switch (rung) {
    case SelectiveRung::Reference:
        return buffers({2 * floats(workers, s.state)});
    case SelectiveRung::Plain:
        return buffers({floats(workers, s.state)});
    case SelectiveRung::Unfused: {
        const int64_t states = floats(saturatedProduct(saturatedProduct(s.batch, s.dim), s.length), s.state);
        return buffers({states, states, states, floats(workers, s.state)});
    }
    case SelectiveRung::Fused:
        return fusedBytesAtMost(s, threads);
    }
    return 0;
}

double flopsOf(const SelectiveShape& s) {
    const double rows = static_cast<double>(s.batch) * static_cast<double>(s.dim) * static_cast<double>(s.length);
    return rows * (9 * static_cast<double>(s.state) + 2);
}

double softplusOf(double x) { return stepSize(x, 0.0, true); }

} // namespace warplight::cpu
