// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ssm/hippo.h"

#include "core/error.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numbers>

namespace warplight::ssm {
namespace {

constexpr cpu::RungInfo<Measure> infos[] = {
    {Measure::LegS, "legs", "LegS: the whole past",
     "Legendre polynomials over [0, t], so that detail fades evenly as the past grows; needs no time scale"},
    {Measure::LegT, "legt", "LegT: a sliding window",
     "Legendre polynomials over the last theta: sharp within, nothing before"},
    {Measure::Lmu, "lmu", "LMU: a sliding window by its delay",
     "LegT with polynomials that are not normalised and run from now into the past"},
    {Measure::LagT, "lagt", "LagT: a fading past", "Laguerre functions: the recent past sharp, the rest fading"},
    {Measure::FouT, "fout", "FouT: a sliding window in frequencies",
     "cosines and sines over the last theta: the ends of the window are taken for neighbours"}};

/// √(2n+1)
double norm(int64_t n) { return std::sqrt(static_cast<double>(2 * n + 1)); }
double sign(int64_t n) { return n % 2 == 0 ? 1 : -1; }

double legS(int64_t n, int64_t k) { return n > k ? -norm(n) * norm(k) : n == k ? -static_cast<double>(n + 1) : 0; }
double legT(int64_t n, int64_t k) { return -norm(n) * norm(k) * (k <= n ? 1 : sign(n - k)); }
double lmu(int64_t n, int64_t k) { return static_cast<double>(2 * n + 1) * (n < k ? -1 : -sign(n - k)); }
double lagT(int64_t n, int64_t k) { return n > k ? -1 : n == k ? -0.5 : 0; }

/// The cosines' and sines' values now: 1, 0, √2, 0, √2, ...
double fouB(int64_t n) { return n == 0 ? 1 : n % 2 == 0 ? std::numbers::sqrt2 : 0; }
/// Of a window of length 2: pairs (2m, 2m + 1) turn with πm, less what leaves the window.
double fouT(int64_t n, int64_t k) {
    const double turn = n / 2 == k / 2 && n != k ? std::numbers::pi * static_cast<double>(n / 2) : 0;
    return (n < k ? -turn : turn) - fouB(n) * fouB(k);
}

double entry(Measure measure, int64_t n, int64_t k) {
    switch (measure) {
    case Measure::LegS:
        return legS(n, k);
    case Measure::LegT:
        return legT(n, k);
    case Measure::Lmu:
        return lmu(n, k);
    case Measure::LagT:
        return lagT(n, k);
    case Measure::FouT:
        break;
    }
    return fouT(n, k);
}

double input(Measure measure, int64_t n) {
    switch (measure) {
    case Measure::LegS:
    case Measure::LegT:
        return norm(n);
    case Measure::Lmu:
        return sign(n) * static_cast<double>(2 * n + 1);
    case Measure::LagT:
        return 1;
    case Measure::FouT:
        break;
    }
    return fouB(n);
}

/// P_n(x) by Bonnet's recurrence, times factor(n).
template <class Factor>
void legendre(double x, std::span<double> values, const Factor& factor) {
    double before = 0, now = 1;
    for (size_t i = 0; i < values.size(); ++i) {
        const auto n = static_cast<double>(i);
        values[i] = now * factor(static_cast<int64_t>(i));
        const double next = ((2 * n + 1) * x * now - n * before) / (n + 1);
        before = now;
        now = next;
    }
}

/// e^(-x/2) L_n(x)
void laguerre(double x, std::span<double> values) {
    double before = 0, now = std::exp(-x / 2);
    for (size_t i = 0; i < values.size(); ++i) {
        const auto n = static_cast<double>(i);
        values[i] = now;
        const double next = ((2 * n + 1 - x) * now - n * before) / (n + 1);
        before = now;
        now = next;
    }
}

void fourier(double x, std::span<double> values) {
    for (size_t i = 0; i < values.size(); ++i) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(i / 2) * x;
        values[i] = i == 0 ? 1 : std::numbers::sqrt2 * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    }
}

} // namespace

std::span<const cpu::RungInfo<Measure>> measures() { return infos; }

Measure measureByName(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& info : infos) {
        if (info.name == name)
            return info.id;
        names.push_back(info.name);
    }
    throw InputError(
        fmt::format("measure '{}' is not known, expected one of {}", echoed(name), fmt::join(names, ", ")));
}

System hippo(Measure measure, int64_t n, double theta) {
    if (n < 1 || n > largestState)
        throw InputError(fmt::format("hippo: n is {}, expected 1 to {}", n, largestState));
    if (measure == Measure::FouT && n % 2 != 0)
        throw InputError(
            fmt::format("hippo: n is {}, expected an even number for fout: cosines and sines are pairs", n));
    if (!(theta > 0) || !std::isfinite(theta))
        throw InputError(fmt::format("hippo: theta is {}, expected a number above 0", theta));
    const double speed = measure == Measure::LegS ? 1 : (measure == Measure::FouT ? 2 : 1) / theta;
    System system{n, std::vector<double>(static_cast<size_t>(n * n)), std::vector<double>(static_cast<size_t>(n))};
    for (int64_t i = 0; i < n; ++i) {
        system.b[static_cast<size_t>(i)] = speed * input(measure, i);
        for (int64_t k = 0; k < n; ++k)
            system.a[static_cast<size_t>(i * n + k)] = speed * entry(measure, i, k);
    }
    return system;
}

void basisAt(Measure measure, double position, std::span<double> values) {
    switch (measure) {
    case Measure::LegS:
    case Measure::LegT:
        return legendre(1 - 2 * position, values, norm);
    case Measure::Lmu:
        return legendre(2 * position - 1, values, [](int64_t) { return 1.0; });
    case Measure::LagT:
        return laguerre(position, values);
    case Measure::FouT:
        return fourier(position, values);
    }
}

Basis::Basis(Measure measure, int64_t states, std::span<const double> positions)
    : n(states), count(static_cast<int64_t>(positions.size())), columns(static_cast<size_t>(n * count)) {
    std::vector<double> values(static_cast<size_t>(n));
    for (size_t i = 0; i < positions.size(); ++i) {
        basisAt(measure, positions[i], values);
        for (size_t k = 0; k < values.size(); ++k)
            columns[k * positions.size() + i] = values[k];
    }
}

void Basis::reconstruct(std::span<const double> coefficients, std::span<double> out) const {
    std::fill(out.begin(), out.end(), 0.0);
    const auto width = static_cast<size_t>(count);
    for (size_t k = 0; k < static_cast<size_t>(n); ++k) {
        const double c = coefficients[k];
        const double* row = columns.data() + k * width;
        for (size_t i = 0; i < width; ++i)
            out[i] += c * row[i];
    }
}

} // namespace warplight::ssm
