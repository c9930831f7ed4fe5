// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ssm/s4_rungs.h"

#include "core/algebra/fourier.h"
#include "core/cpu/parallel.h"
#include "core/cpu/s4/kernels.h"
#include "core/cpu/workspace.h"
#include "core/error.h"
#include "core/ssm/s4_layer.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <initializer_list>
#include <string>
#include <type_traits>

namespace warplight::ssm {
namespace {

using cpu::RunCost;
using cpu::RunOptions;
using cpu::Workspace;

constexpr cpu::RungInfo<S4Rung> infos[] = {
    {S4Rung::Reference, "reference", "the recurrence in double precision", "what the others are judged by"},
    {S4Rung::Recurrent, "recurrent", "step by step, channels in vector lanes",
     "O(n) a step with a state in registers; LegS by forward substitution instead of a matrix"},
    {S4Rung::Direct, "direct", "the kernel, then a convolution term by term",
     "no step waits for the one before: L² / 2 "
     "multiplications that are independent"},
    {S4Rung::Fourier, "fft", "the kernel, then a convolution by FFT", "L log L: each frequency is one product"}};

constexpr int64_t blockSteps = 64;     ///< of a group of channels, before the next states are looked at
constexpr int64_t stripOutputs = 4096; ///< of a direct convolution, between two looks at the cancel flag

double stepOf(const S4Tensors& t, int64_t channel) {
    const double step = static_cast<double>(t.delta[channel]);
    if (!(step > 0) || !std::isfinite(step))
        throw InputError(fmt::format("s4: delta of channel {} is {}, expected a number above 0", channel, step));
    return step;
}

bool isLegs(const S4Shape& s) { return s.kind == S4Kind::LegS; }

/// What a recurrence of some channels in type T takes.
template <class T>
struct Group {
    int64_t lanes;
    T *factors, *state, *norms, *u, *y;

    static const cpu::ChannelRecurrences<T>& kernels() {
        if constexpr (std::is_same_v<T, float>)
            return cpu::s4Kernels().f32;
        else
            return cpu::s4Kernels().f64;
    }
    static int64_t states(const S4Shape& s) { return isLegs(s) ? s.state : s.state / 2 + s.state / 2 % 2; }
    static int64_t numbers(const S4Shape& s) {
        return kernels().lanes * (states(s) * (isLegs(s) ? 5 : 6) + 2 * blockSteps) + states(s);
    }
    Group(const S4Shape& s, T* memory) : lanes(kernels().lanes) {
        factors = memory;
        state = factors + states(s) * 4 * lanes;
        u = state + states(s) * (isLegs(s) ? 1 : 2) * lanes;
        y = u + blockSteps * lanes;
        norms = y + blockSteps * lanes;
    }

    /// Factors of the channels from `first`; lanes behind the last channel are zero.
    void begin(const S4Shape& s, const S4Tensors& t, const std::vector<DiagonalFactors>& diagonal, int64_t first) {
        std::fill(factors, u, T{0});
        const int64_t count = std::min(lanes, s.channels - first);
        for (int64_t l = 0; l < count; ++l)
            for (int64_t i = 0; i < (isLegs(s) ? s.state : s.state / 2); ++i) {
                T* f = factors + i * 4 * lanes + l;
                const auto set = [&](double a, double b, double c, double d) {
                    f[0] = static_cast<T>(a), f[lanes] = static_cast<T>(b);
                    f[2 * lanes] = static_cast<T>(c), f[3 * lanes] = static_cast<T>(d);
                };
                if (isLegs(s)) {
                    const cpu::LegsFactors legs = cpu::legsFactors(i, stepOf(t, first + l) / 2);
                    set(legs.p, legs.q, legs.g, static_cast<double>(t.c[(first + l) * s.state + i]));
                } else {
                    const DiagonalFactors& d = diagonal[static_cast<size_t>((first + l) * (s.state / 2) + i)];
                    set(d.a.real(), d.a.imag(), d.w.real(), d.w.imag());
                }
            }
        for (int64_t i = 0; i < states(s); ++i)
            norms[i] = static_cast<T>(std::sqrt(static_cast<double>(2 * i + 1)));
    }
    void run(const S4Shape& s, int64_t steps) const {
        if (isLegs(s))
            kernels().legs(factors, norms, state, s.state, u, y, steps);
        else
            kernels().diagonal(factors, state, states(s), u, y, steps);
    }
};

int64_t groupsOf(const S4Shape& s, int64_t lanes) { return (s.channels + lanes - 1) / lanes; }

/// A recurrence of all channels in type T: in(channel, step) goes in, out(channel, step, y) takes what comes out.
template <class T, class In, class Out>
void recur(const S4Shape& s, const S4Tensors& t, const std::vector<DiagonalFactors>& diagonal, int workers,
           Workspace& workspace, const RunOptions& options, const In& in, const Out& out) {
    const int64_t lanes = Group<T>::kernels().lanes, groups = groupsOf(s, lanes);
    std::vector<T*> memory;
    for (int w = 0; w < workers; ++w)
        memory.push_back(workspace.take<T>(Group<T>::numbers(s)));
    cpu::parallelItems(groups, workers, options.cancel, [&](int64_t item, int worker) {
        Group<T> group(s, memory[static_cast<size_t>(worker)]);
        const int64_t first = item * lanes, count = std::min(lanes, s.channels - first);
        group.begin(s, t, diagonal, first);
        std::fill_n(group.u, blockSteps * lanes, T{0});
        for (int64_t begin = 0; begin < s.length; begin += blockSteps) {
            checkCancelled(options.cancel);
            const int64_t steps = std::min(blockSteps, s.length - begin);
            for (int64_t l = 0; l < count; ++l)
                for (int64_t k = 0; k < steps; ++k)
                    group.u[k * lanes + l] = in(first + l, begin + k);
            group.run(s, steps);
            for (int64_t l = 0; l < count; ++l)
                for (int64_t k = 0; k < steps; ++k)
                    out(first + l, begin + k, group.y[k * lanes + l]);
        }
    });
}

/// K [channels, length]: what the recurrence in f64 answers to an impulse.
float* kernels(const S4Shape& s, const S4Tensors& t, const std::vector<DiagonalFactors>& diagonal, int workers,
               Workspace& workspace, const RunOptions& options) {
    auto* k = workspace.take<float>(s.channels * s.length);
    recur<double>(
        s, t, diagonal, workers, workspace, options, [](int64_t, int64_t step) { return step == 0 ? 1.0 : 0.0; },
        [&](int64_t channel, int64_t step, double y) { k[channel * s.length + step] = static_cast<float>(y); });
    return k;
}

void direct(const S4Shape& s, const S4Tensors& t, const float* k, int workers, Workspace& workspace,
            const RunOptions& options) {
    const int64_t pad = cpu::s4Kernels().outputsAtOnce, row = s.length + 2 * pad;
    auto* padded = workspace.take<float>(s.channels * row);
    for (int64_t c = 0; c < s.channels; ++c) {
        checkCancelled(options.cancel);
        float* to = padded + c * row;
        std::fill_n(to, pad, 0.0f);
        std::copy_n(t.u + c * s.length, s.length, to + pad);
        std::fill_n(to + pad + s.length, pad, 0.0f);
    }
    std::vector<float*> buffers;
    for (int w = 0; w < workers; ++w)
        buffers.push_back(workspace.take<float>(pad));
    const int64_t strips = (s.length + stripOutputs - 1) / stripOutputs;
    cpu::parallelItems(s.channels * strips, workers, options.cancel, [&](int64_t item, int worker) {
        const int64_t c = item / strips, end = std::min(s.length, (item % strips + 1) * stripOutputs);
        float* out = buffers[static_cast<size_t>(worker)];
        for (int64_t begin = item % strips * stripOutputs; begin < end; begin += pad) {
            checkCancelled(options.cancel);
            cpu::s4Kernels().convolve(k + c * s.length, s.length, padded + c * row + pad, begin, out);
            std::copy_n(out, std::min(pad, end - begin), t.y + c * s.length + begin);
        }
    });
}

void fourier(const S4Shape& s, const S4Tensors& t, const float* k, int workers, Workspace& workspace,
             const RunOptions& options) {
    const algebra::CausalConvolution<float> convolution(s.length);
    std::vector<float*> scratch;
    for (int w = 0; w < workers; ++w)
        scratch.push_back(workspace.take<float>(convolution.scratch()));
    cpu::parallelItems(s.channels, workers, options.cancel, [&](int64_t c, int worker) {
        convolution.apply(k + c * s.length, t.u + c * s.length, t.y + c * s.length,
                          scratch[static_cast<size_t>(worker)]);
    });
}

void reference(const S4Shape& s, const S4Tensors& t, int workers, const RunOptions& options) {
    const std::vector<std::complex<double>> poles =
        isLegs(s) ? std::vector<std::complex<double>>() : s4dPoles(s.kind, s.state);
    cpu::parallelItems(s.channels, workers, options.cancel, [&](int64_t channel, int) {
        const float* c = t.c + channel * s.state;
        const std::vector<double> weights(c, c + s.state), u(t.u + channel * s.length, t.u + (channel + 1) * s.length);
        const double step = stepOf(t, channel);
        S4Layer layer;
        if (isLegs(s))
            layer = makeS4Layer(s.kind, s.state, Rule::Bilinear, step, weights);
        else {
            std::vector<std::complex<double>> pairs;
            for (size_t i = 0; i < poles.size(); ++i)
                pairs.emplace_back(weights[2 * i], weights[2 * i + 1]);
            layer.diagonal = diagonalSystem(poles, pairs, Rule::Zoh, step);
        }
        const std::vector<double> y = recurrentIn(number::Format::F64, layer, u, options.cancel);
        std::transform(y.begin(), y.end(), t.y + channel * s.length, [](double x) { return static_cast<float>(x); });
    });
}

} // namespace

std::span<const cpu::RungInfo<S4Rung>> s4Rungs() { return infos; }

void checkShape(const S4Shape& s) {
    const auto refuse = [](const char* what, int64_t is, const std::string& expected) {
        throw InputError(fmt::format("s4: {} is {}, expected {}", what, is, expected));
    };
    if (s.channels < 0)
        refuse("channels", s.channels, "at least 0");
    if (s.length < 0 || s.length > int64_t{1} << 28)
        refuse("length", s.length, fmt::format("0 to {}", int64_t{1} << 28));
    if (s.state < 2 || s.state % 2 != 0 || s.state > largestS4State)
        refuse("state", s.state, fmt::format("an even number from 2 to {}", largestS4State));
}

std::vector<DiagonalFactors> diagonalFactors(const S4Shape& s, const S4Tensors& t) {
    std::vector<DiagonalFactors> factors;
    const std::vector<std::complex<double>> poles = s4dPoles(s.kind, s.state);
    for (int64_t channel = 0; channel < s.channels; ++channel) {
        const float* c = t.c + channel * s.state;
        for (size_t i = 0; i < poles.size(); ++i) {
            const DiscretePole one = discretise(poles[i], 1.0, Rule::Zoh, stepOf(t, channel));
            factors.push_back(
                {one.a,
                 2.0 * one.b * std::complex<double>(static_cast<double>(c[2 * i]), static_cast<double>(c[2 * i + 1]))});
        }
    }
    return factors;
}

std::vector<float> gpuFactors(const S4Shape& s, const S4Tensors& t) {
    std::vector<float> factors;
    const auto add = [&](std::initializer_list<double> numbers) {
        for (const double x : numbers)
            factors.push_back(static_cast<float>(x));
    };
    if (!isLegs(s))
        for (const DiagonalFactors& one : diagonalFactors(s, t))
            add({one.a.real(), one.a.imag(), one.w.real(), one.w.imag()});
    else
        for (int64_t channel = 0; channel < s.channels; ++channel)
            for (int64_t i = 0; i < s.state; ++i) {
                const cpu::LegsFactors one = cpu::legsFactors(i, stepOf(t, channel) / 2);
                const double norm = std::sqrt(static_cast<double>(2 * i + 1));
                add({one.p, norm * one.q, one.g, static_cast<double>(t.c[channel * s.state + i]) / norm});
            }
    return factors;
}

RunCost s4(S4Rung rung, const S4Shape& s, const S4Tensors& t, const RunOptions& options) {
    checkShape(s);
    for (int64_t channel = 0; channel < s.channels; ++channel)
        stepOf(t, channel);
    const int workers = cpu::workerCount(options.threads);
    if (s.channels == 0 || s.length == 0)
        return {0, workers};
    if (rung == S4Rung::Reference) {
        reference(s, t, workers, options);
        return {extraBytesAtMost(rung, s, options.threads), workers};
    }
    const std::vector<DiagonalFactors> diagonal = isLegs(s) ? std::vector<DiagonalFactors>() : diagonalFactors(s, t);
    Workspace workspace;
    if (rung == S4Rung::Recurrent) {
        recur<float>(
            s, t, diagonal, workers, workspace, options,
            [&](int64_t channel, int64_t step) { return t.u[channel * s.length + step]; },
            [&](int64_t channel, int64_t step, float y) { t.y[channel * s.length + step] = y; });
    } else {
        const float* k = kernels(s, t, diagonal, workers, workspace, options);
        if (rung == S4Rung::Direct)
            direct(s, t, k, workers, workspace, options);
        else
            fourier(s, t, k, workers, workspace, options);
    }
    return {workspace.bytes() + static_cast<int64_t>(diagonal.size() * sizeof(DiagonalFactors)), workers};
}

int64_t extraBytesAtMost(S4Rung rung, const S4Shape& s, int threads) {
    if (s.channels == 0 || s.length == 0)
        return 0;
    const int64_t workers = cpu::workerCount(threads);
    if (rung == S4Rung::Reference) // a channel's signal and output, its matrix and what makes it
        return saturatedProduct(workers, saturatedSum(saturatedProduct(32, s.length), 80 * s.state * s.state));
    const int64_t factors =
        isLegs(s) ? 0 : saturatedProduct(saturatedProduct(s.channels, s.state / 2), sizeof(DiagonalFactors));
    const int64_t all = saturatedProduct(saturatedProduct(4, s.channels), s.length);
    if (rung == S4Rung::Recurrent)
        return saturatedSum(factors, workers * 4 * Group<float>::numbers(s));
    const int64_t made = saturatedSum(saturatedSum(factors, all), workers * 8 * Group<double>::numbers(s));
    if (rung == S4Rung::Direct) {
        const int64_t pad = 4 * cpu::s4Kernels().outputsAtOnce;
        return saturatedSum(
            made, saturatedSum(all, saturatedProduct(saturatedSum(saturatedProduct(2, s.channels), workers), pad)));
    }
    return saturatedSum(made, saturatedProduct(workers * 4, algebra::CausalConvolution<float>::scratchOf(s.length)));
}

double flopsOf(S4Rung rung, const S4Shape& s) {
    const auto length = static_cast<double>(s.length), channels = static_cast<double>(s.channels);
    const double recurrence = channels * length * static_cast<double>(s.state) * (isLegs(s) ? 12 : 5.5);
    if (rung == S4Rung::Direct)
        return recurrence + channels * length * (length + 1);
    const auto padded = static_cast<double>(algebra::goodLength(2 * s.length));
    return rung == S4Rung::Fourier ? recurrence + channels * padded * (15 * std::log2(padded) + 3) : recurrence;
}

} // namespace warplight::ssm
