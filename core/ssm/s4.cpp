// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ssm/s4.h"

#include "core/algebra/fourier.h"
#include "core/algebra/matrix_functions.h"
#include "core/cpu/workspace.h"
#include "core/error.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numbers>
#include <numeric>
#include <string_view>
#include <utility>

namespace warplight::ssm {
namespace {

using Complex = std::complex<double>;

constexpr cpu::RungInfo<S4Kind> infos[] = {
    {S4Kind::LegS, "s4-legs", "S4, LegS", "HiPPO's matrix, dense: a diagonal less a product of rank one"},
    {S4Kind::DiagonalLegS, "s4d-legs", "S4D-LegS", "the diagonal of LegS alone: as good as S4 in the limit of large n"},
    {S4Kind::DiagonalLin, "s4d-lin", "S4D-Lin", "frequencies π n: those of FouT"},
    {S4Kind::DiagonalInv, "s4d-inv", "S4D-Inv", "frequencies that fall off as 1 / n, near those of LegS"},
    {S4Kind::DiagonalReal, "s4d-real", "S4D-Real", "decays 1, 2, 3, ... that never turn"}};

constexpr int64_t checkedEvery = 64; ///< elements between two looks at the cancel flag

/// c (I - Ā^length), which cuts the kernel off after `length` elements.
std::vector<double> cutOff(const System& s, std::span<const double> c, int64_t length,
                           const std::atomic<bool>* cancel) {
    std::vector<double> power(s.a.size()), square = s.a;
    for (int64_t i = 0; i < s.n; ++i)
        power[static_cast<size_t>(i * s.n + i)] = 1;
    for (int64_t left = length; left > 0; left /= 2) {
        checkCancelled(cancel);
        if (left % 2 != 0)
            power = algebra::product(power, square, s.n);
        if (left > 1)
            square = algebra::product(square, square, s.n);
    }
    std::vector<double> cut(c.begin(), c.end());
    for (size_t i = 0; i < c.size(); ++i)
        for (size_t k = 0; k < c.size(); ++k)
            cut[k] -= c[i] * power[i * c.size() + k];
    return cut;
}

/// The kernel whose generating function `at(z)` is known at the roots of unity e^(-2πi l / length).
template <class At>
std::vector<double> fromRoots(int64_t length, const std::atomic<bool>* cancel, const At& at) {
    std::vector<double> spectrum;
    for (int64_t l = 0; l <= length / 2; ++l) {
        if (l % checkedEvery == 0)
            checkCancelled(cancel);
        // On the far side of the circle exactly, where formulas that divide by 1 + z need another.
        const Complex z =
            2 * l == length
                ? Complex(-1)
                : std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(l) / static_cast<double>(length));
        const Complex value = at(z);
        spectrum.push_back(value.real());
        spectrum.push_back(value.imag());
    }
    return length > 0 ? algebra::fromSpectrum(spectrum, length) : std::vector<double>();
}

/// Ax as the next state.
void advance(const System& s, std::vector<double>& x, std::vector<double>& next) {
    const auto n = static_cast<size_t>(s.n);
    for (size_t i = 0; i < n; ++i)
        next[i] = std::inner_product(x.begin(), x.end(), s.a.begin() + static_cast<int64_t>(i * n), 0.0);
    x.swap(next);
}

double dot(std::span<const double> a, std::span<const double> b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

} // namespace

std::vector<double> kernelByPowers(const System& s, std::span<const double> c, int64_t length,
                                   const std::atomic<bool>* cancel) {
    std::vector<double> kernel, x = s.b, next(x.size());
    for (int64_t l = 0; l < length; ++l) {
        if (l % checkedEvery == 0)
            checkCancelled(cancel);
        kernel.push_back(dot(c, x));
        advance(s, x, next);
    }
    return kernel;
}

std::vector<double> kernelByGeneratingFunction(const System& s, std::span<const double> c, int64_t length,
                                               const std::atomic<bool>* cancel) {
    const std::vector<double> cut = cutOff(s, c, length, cancel);
    const std::vector<Complex> b(s.b.begin(), s.b.end());
    std::vector<Complex> m(s.a.size());
    return fromRoots(length, cancel, [&](Complex z) {
        checkCancelled(cancel); // each is a solve
        for (size_t i = 0; i < m.size(); ++i)
            m[i] = -z * s.a[i];
        for (int64_t i = 0; i < s.n; ++i)
            m[static_cast<size_t>(i * s.n + i)] += 1.0;
        const std::vector<Complex> x = algebra::solve(m, s.n, b, 1);
        return std::inner_product(cut.begin(), cut.end(), x.begin(), Complex());
    });
}

Dplr legsDplr(int64_t n) {
    const System legs = hippo(Measure::LegS, n);
    const auto size = static_cast<size_t>(n);
    std::vector<double> p(size), skew = legs.a;
    for (size_t i = 0; i < size; ++i)
        p[i] = std::sqrt(static_cast<double>(i) + 0.5);
    for (size_t i = 0; i < size; ++i)
        for (size_t k = 0; k < size; ++k)
            skew[i * size + k] += p[i] * p[k] + (i == k ? 0.5 : 0);
    algebra::SkewDecomposition parts = algebra::decomposeSkew(skew, n);
    Dplr d{n, {}, std::vector<Complex>(size), std::vector<Complex>(size), std::move(parts.vectors)};
    for (const double frequency : parts.frequencies)
        d.lambda.emplace_back(-0.5, frequency);
    for (size_t i = 0; i < size; ++i)
        for (size_t k = 0; k < size; ++k) {
            d.p[k] += std::conj(d.vectors[i * size + k]) * p[i];
            d.b[k] += std::conj(d.vectors[i * size + k]) * legs.b[i];
        }
    return d;
}

std::vector<double> kernelByDplr(const Dplr& d, std::span<const double> c, double step, int64_t length,
                                 const std::atomic<bool>* cancel) {
    const System legs = hippo(Measure::LegS, d.n);
    const std::vector<double> cut = cutOff(discretise(legs, Rule::Bilinear, step), c, length, cancel);
    const auto n = static_cast<size_t>(d.n);
    std::vector<Complex> cb(n), cp(n), pb(n);
    std::vector<double> pp(n);
    for (size_t k = 0; k < n; ++k) {
        Complex turned; // of c in the coordinates of V
        for (size_t i = 0; i < n; ++i)
            turned += cut[i] * d.vectors[i * n + k];
        cb[k] = turned * d.b[k];
        cp[k] = turned * d.p[k];
        pb[k] = std::conj(d.p[k]) * d.b[k];
        pp[k] = std::norm(d.p[k]);
    }
    return fromRoots(length, cancel, [&](Complex z) {
        if (z == Complex(-1)) // the limit of 0 · ∞
            return Complex(step / 2 * dot(cut, legs.b));
        const Complex g = 2 / step * (1.0 - z) / (1.0 + z);
        Complex sumCb, sumCp, sumPb, sumPp;
        for (size_t k = 0; k < n; ++k) {
            const Complex r = 1.0 / (g - d.lambda[k]);
            sumCb += cb[k] * r;
            sumCp += cp[k] * r;
            sumPb += pb[k] * r;
            sumPp += pp[k] * r;
        }
        return 2.0 / (1.0 + z) * (sumCb - sumCp * sumPb / (1.0 + sumPp));
    });
}

std::span<const cpu::RungInfo<S4Kind>> s4Kinds() { return infos; }

S4Kind s4KindByName(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& info : infos) {
        if (info.name == name)
            return info.id;
        names.push_back(info.name);
    }
    throw InputError(
        fmt::format("kind of S4 '{}' is not known, expected one of {}", echoed(name), fmt::join(names, ", ")));
}

std::vector<Complex> s4dPoles(S4Kind kind, int64_t n) {
    if (n < 2 || n % 2 != 0 || n > largestState)
        throw InputError(fmt::format("s4d: n is {}, expected an even number from 2 to {}", n, largestState));
    std::vector<Complex> poles;
    const auto all = static_cast<double>(n);
    if (kind == S4Kind::LegS || kind == S4Kind::DiagonalLegS) {
        const Dplr legs = legsDplr(n);
        return {legs.lambda.begin() + n / 2, legs.lambda.end()};
    }
    for (int64_t i = 0; i < n / 2; ++i) {
        const auto k = static_cast<double>(i);
        poles.push_back(kind == S4Kind::DiagonalLin   ? Complex(-0.5, std::numbers::pi * k)
                        : kind == S4Kind::DiagonalInv ? Complex(-0.5, all / std::numbers::pi * (all / (2 * k + 1) - 1))
                                                      : Complex(-(k + 1), 0));
    }
    return poles;
}

DiagonalSystem diagonalSystem(std::span<const Complex> poles, std::span<const Complex> c, Rule rule, double step) {
    DiagonalSystem s{{}, {}, {c.begin(), c.end()}};
    for (const Complex pole : poles) {
        const DiscretePole discrete = discretise(pole, 1.0, rule, step);
        s.a.push_back(discrete.a);
        s.b.push_back(discrete.b);
    }
    return s;
}

std::vector<double> kernelOf(const DiagonalSystem& s, int64_t length, const std::atomic<bool>* cancel) {
    std::vector<double> kernel(static_cast<size_t>(length));
    for (size_t i = 0; i < s.a.size(); ++i) {
        Complex x = 2.0 * s.c[i] * s.b[i];
        for (int64_t l = 0; l < length; ++l) {
            if (l % 65536 == 0)
                checkCancelled(cancel);
            kernel[static_cast<size_t>(l)] += x.real();
            x *= s.a[i];
        }
    }
    return kernel;
}

std::vector<double> recurrent(const System& s, std::span<const double> c, std::span<const double> u,
                              const std::atomic<bool>* cancel) {
    std::vector<double> y, x(static_cast<size_t>(s.n)), next(x.size());
    for (const double in : u) {
        if (static_cast<int64_t>(y.size()) % checkedEvery == 0)
            checkCancelled(cancel);
        advance(s, x, next);
        for (size_t i = 0; i < x.size(); ++i)
            x[i] += s.b[i] * in;
        y.push_back(dot(c, x));
    }
    return y;
}

std::vector<double> recurrent(const DiagonalSystem& s, std::span<const double> u, const std::atomic<bool>* cancel) {
    std::vector<double> y;
    std::vector<Complex> x(s.a.size());
    for (const double in : u) {
        if (static_cast<int64_t>(y.size()) % 4096 == 0)
            checkCancelled(cancel);
        double out = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            x[i] = s.a[i] * x[i] + s.b[i] * in;
            out += (s.c[i] * x[i]).real();
        }
        y.push_back(2 * out);
    }
    return y;
}

std::vector<double> convolvedDirectly(std::span<const double> kernel, std::span<const double> u,
                                      const std::atomic<bool>* cancel) {
    std::vector<double> y(u.size());
    for (size_t k = 0; k < u.size(); ++k) {
        if (k % static_cast<size_t>(checkedEvery) == 0)
            checkCancelled(cancel);
        for (size_t j = 0; j <= k; ++j)
            y[k] += kernel[j] * u[k - j];
    }
    return y;
}

std::vector<double> convolvedByFourier(std::span<const double> kernel, std::span<const double> u) {
    const algebra::CausalConvolution<double> convolution(static_cast<int64_t>(u.size()));
    std::vector<double> y(u.size());
    cpu::Workspace workspace;
    convolution.apply(kernel.data(), u.data(), y.data(), workspace.take<double>(convolution.scratch()));
    return y;
}

} // namespace warplight::ssm
