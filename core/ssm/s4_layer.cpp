// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ssm/s4_layer.h"

#include "core/error.h"

#include <cstddef>
#include <fmt/format.h>
#include <type_traits>

namespace warplight::ssm {
namespace {

using number::Format;

constexpr size_t checkedEvery = 256; ///< steps between two looks at the cancel flag

template <class T>
T kept(T x, Format format) {
    if constexpr (std::is_same_v<T, float>)
        return number::isSmallFloat(format) ? number::rounded(x, format) : x;
    else
        return x;
}

template <class T>
std::vector<double> denseIn(Format format, const S4Layer& layer, std::span<const double> u,
                            const std::atomic<bool>* cancel) {
    const auto n = static_cast<size_t>(layer.dense.n);
    std::vector<T> columns(n * n), x(n), next(n), y; // Ā transposed, so that a step is a sum of its rows
    for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < n; ++k)
            columns[k * n + i] = static_cast<T>(layer.dense.a[i * n + k]);
    const std::vector<T> b(layer.dense.b.begin(), layer.dense.b.end()), c(layer.c.begin(), layer.c.end());
    std::vector<double> out;
    for (const double in : u) {
        if (out.size() % checkedEvery == 0)
            checkCancelled(cancel);
        for (size_t i = 0; i < n; ++i)
            next[i] = b[i] * static_cast<T>(in);
        for (size_t k = 0; k < n; ++k)
            for (size_t i = 0; i < n; ++i)
                next[i] += x[k] * columns[k * n + i];
        T sum = 0;
        for (size_t i = 0; i < n; ++i) {
            x[i] = kept(next[i], format);
            sum += c[i] * x[i];
        }
        out.push_back(static_cast<double>(sum));
    }
    return out;
}

template <class T>
std::vector<double> diagonalIn(Format format, const DiagonalSystem& s, std::span<const double> u,
                               const std::atomic<bool>* cancel) {
    struct State {
        T aRe, aIm, bRe, bIm, cRe, cIm, re, im;
    };
    std::vector<State> states;
    const auto as = [](double x) { return static_cast<T>(x); };
    for (size_t i = 0; i < s.a.size(); ++i)
        states.push_back({as(s.a[i].real()), as(s.a[i].imag()), as(s.b[i].real()), as(s.b[i].imag()), as(s.c[i].real()),
                          as(s.c[i].imag()), 0, 0});
    std::vector<double> out;
    for (const double value : u) {
        if (out.size() % checkedEvery == 0)
            checkCancelled(cancel);
        const T in = as(value);
        T sum = 0;
        for (State& x : states) {
            const T re = x.aRe * x.re - x.aIm * x.im + x.bRe * in;
            x.im = kept(x.aRe * x.im + x.aIm * x.re + x.bIm * in, format);
            x.re = kept(re, format);
            sum += x.cRe * x.re - x.cIm * x.im;
        }
        out.push_back(static_cast<double>(2 * sum));
    }
    return out;
}

} // namespace

S4Layer makeS4Layer(S4Kind kind, int64_t n, Rule rule, double step, std::span<const double> c) {
    S4Layer layer;
    layer.kind = kind;
    layer.rule = rule;
    layer.step = step;
    if (kind == S4Kind::LegS) {
        layer.dense = discretise(hippo(Measure::LegS, n), rule, step);
        layer.c.assign(c.begin(), c.end());
        return layer;
    }
    const std::vector<std::complex<double>> poles = s4dPoles(kind, n);
    std::vector<std::complex<double>> weights;
    for (size_t i = 0; i < poles.size(); ++i)
        weights.emplace_back(c[2 * i], c[2 * i + 1]);
    layer.diagonal = diagonalSystem(poles, weights, rule, step);
    return layer;
}

std::vector<double> S4Layer::kernel(int64_t length, const std::atomic<bool>* cancel) const {
    if (!isDense())
        return kernelOf(diagonal, length, cancel);
    if (rule == Rule::Bilinear)
        return kernelByDplr(legsDplr(dense.n), c, step, length, cancel);
    return kernelByPowers(dense, c, length, cancel);
}

std::vector<double> diagonalWeights(std::span<const double> c) {
    const Dplr legs = legsDplr(static_cast<int64_t>(c.size()));
    std::vector<double> weights;
    for (size_t k = c.size() / 2; k < c.size(); ++k) {
        std::complex<double> turned;
        for (size_t i = 0; i < c.size(); ++i)
            turned += c[i] * legs.vectors[i * c.size() + k];
        turned *= legs.b[k] / 2.0;
        weights.push_back(turned.real());
        weights.push_back(turned.imag());
    }
    return weights;
}

std::vector<double> recurrentIn(Format format, const S4Layer& layer, std::span<const double> u,
                                const std::atomic<bool>* cancel) {
    if (format != Format::F64 && format != Format::F32 && format != Format::F16 && format != Format::BF16)
        throw InputError(fmt::format("s4: a state in {}, expected f64, f32, f16 or bf16", number::name(format)));
    if (format == Format::F64)
        return layer.isDense() ? denseIn<double>(format, layer, u, cancel)
                               : diagonalIn<double>(format, layer.diagonal, u, cancel);
    return layer.isDense() ? denseIn<float>(format, layer, u, cancel)
                           : diagonalIn<float>(format, layer.diagonal, u, cancel);
}

} // namespace warplight::ssm
