// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ssm/discretise.h"

#include "core/algebra/matrix_functions.h"
#include "core/error.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace warplight::ssm {
namespace {

using Complex = std::complex<double>;

constexpr cpu::RungInfo<Rule> infos[] = {
    {Rule::ForwardEuler, "forward-euler", "forward Euler",
     "one product; unstable once a pole times the step leaves "
     "the unit circle around -1"},
    {Rule::BackwardEuler, "backward-euler", "backward Euler", "stable for every step, and damps what turns"},
    {Rule::Bilinear, "bilinear", "bilinear (Tustin)", "second order: takes the left half plane to the unit circle"},
    {Rule::Zoh, "zoh", "zero-order hold", "exact for an input that is held during each step"},
    {Rule::Mamba, "mamba", "Mamba's", "zero-order hold for A, Euler for B: one exponential and no inverse"}};

/// scale · M, plus 1 on the diagonal.
std::vector<double> besideIdentity(const System& s, double scale) {
    std::vector<double> m(s.a.size());
    std::transform(s.a.begin(), s.a.end(), m.begin(), [&](double x) { return scale * x; });
    for (int64_t i = 0; i < s.n; ++i)
        m[static_cast<size_t>(i * s.n + i)] += 1;
    return m;
}

std::vector<double> scaled(std::span<const double> x, double factor) {
    std::vector<double> y(x.begin(), x.end());
    for (double& v : y)
        v *= factor;
    return y;
}

/// The first n columns of [n, n + 1] as A, the last as B.
System parted(std::span<const double> both, int64_t n) {
    System s{n, std::vector<double>(static_cast<size_t>(n * n)), std::vector<double>(static_cast<size_t>(n))};
    for (int64_t i = 0; i < n; ++i) {
        const double* row = both.data() + i * (n + 1);
        std::copy(row, row + n, s.a.begin() + i * n);
        s.b[static_cast<size_t>(i)] = row[n];
    }
    return s;
}

/// (I - scale · A)⁻¹ [M, ΔB]
System solved(const System& s, double scale, std::span<const double> m, double step) {
    std::vector<double> right(static_cast<size_t>(s.n * (s.n + 1)));
    for (int64_t i = 0; i < s.n; ++i) {
        double* row = right.data() + i * (s.n + 1);
        std::copy(m.begin() + i * s.n, m.begin() + (i + 1) * s.n, row);
        row[s.n] = step * s.b[static_cast<size_t>(i)];
    }
    return parted(algebra::solve(besideIdentity(s, -scale), s.n, right, s.n + 1), s.n);
}

System held(const System& s, double step) {
    const int64_t wide = s.n + 1;
    std::vector<double> block(static_cast<size_t>(wide * wide));
    for (int64_t i = 0; i < s.n; ++i) {
        for (int64_t k = 0; k < s.n; ++k)
            block[static_cast<size_t>(i * wide + k)] = step * s.a[static_cast<size_t>(i * s.n + k)];
        block[static_cast<size_t>(i * wide + s.n)] = step * s.b[static_cast<size_t>(i)];
    }
    return parted(algebra::exponential(block, wide), s.n);
}

void requireStep(double step) {
    if (!(step > 0) || !std::isfinite(step))
        throw InputError(fmt::format("discretise: step is {}, expected a number above 0", step));
}

/// (e^z - 1) / z, also where z is small: by the tangent, which loses no digits.
Complex heldGain(Complex z) {
    if (z == 0.0)
        return 1;
    const Complex half = std::tanh(z / 2.0); // e^z - 1 = 2 tanh(z/2) / (1 - tanh(z/2))
    return std::abs(z) < 0.5 ? 2.0 * half / (1.0 - half) / z : (std::exp(z) - 1.0) / z;
}

} // namespace

std::span<const cpu::RungInfo<Rule>> rules() { return infos; }

Rule ruleByName(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& info : infos) {
        if (info.name == name)
            return info.id;
        names.push_back(info.name);
    }
    throw InputError(fmt::format("rule '{}' is not known, expected one of {}", echoed(name), fmt::join(names, ", ")));
}

System discretise(const System& s, Rule rule, double step) {
    requireStep(step);
    switch (rule) {
    case Rule::ForwardEuler:
        return {s.n, besideIdentity(s, step), scaled(s.b, step)};
    case Rule::BackwardEuler: {
        System identity{s.n, std::vector<double>(s.a.size()), {}};
        return solved(s, step, besideIdentity(identity, 0), step);
    }
    case Rule::Bilinear:
        return solved(s, step / 2, besideIdentity(s, step / 2), step);
    case Rule::Zoh:
        return held(s, step);
    case Rule::Mamba:
        break;
    }
    return {s.n, algebra::exponential(scaled(s.a, step), s.n), scaled(s.b, step)};
}

Complex mapped(Complex pole, Rule rule, double step) {
    const Complex z = step * pole;
    switch (rule) {
    case Rule::ForwardEuler:
        return 1.0 + z;
    case Rule::BackwardEuler:
        return 1.0 / (1.0 - z);
    case Rule::Bilinear:
        return (1.0 + z / 2.0) / (1.0 - z / 2.0);
    case Rule::Zoh:
    case Rule::Mamba:
        break;
    }
    return std::exp(z);
}

DiscretePole discretise(Complex a, Complex b, Rule rule, double step) {
    requireStep(step);
    const Complex z = step * a;
    const Complex gain = rule == Rule::BackwardEuler ? 1.0 / (1.0 - z)
                         : rule == Rule::Bilinear    ? 1.0 / (1.0 - z / 2.0)
                         : rule == Rule::Zoh         ? heldGain(z)
                                                     : Complex(1);
    return {mapped(a, rule, step), gain * (step * b)};
}

std::vector<Complex> poles(Measure measure, int64_t n, double theta) {
    const System s = hippo(measure, n, theta);
    std::vector<int64_t> states;
    for (int64_t i = 0; i < n; ++i)
        if (!isIdle(measure, i))
            states.push_back(i);
    std::vector<double> a;
    for (const int64_t i : states)
        for (const int64_t k : states)
            a.push_back(s.a[static_cast<size_t>(i * n + k)]);
    std::vector<Complex> values = algebra::eigenvalues(a, static_cast<int64_t>(states.size()));
    std::sort(values.begin(), values.end(), [](Complex x, Complex y) {
        return std::abs(x) != std::abs(y) ? std::abs(x) < std::abs(y) : x.imag() < y.imag();
    });
    return values;
}

double largest(std::span<const Complex> poles) {
    double most = 0;
    for (const Complex pole : poles)
        most = std::max(most, std::abs(pole));
    return most;
}

} // namespace warplight::ssm
