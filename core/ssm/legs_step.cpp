// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ssm/legs_step.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace warplight::ssm {
namespace {

constexpr size_t lanes = 8; ///< nodes come in this many, so that sums over them are vectors

struct Legendre {
    double value, slope;
};

/// P_n and its derivative at x, |x| < 1.
Legendre legendreAt(int64_t n, double x) {
    double before = 0, now = 1;
    for (int64_t i = 0; i < n; ++i) {
        const auto k = static_cast<double>(i);
        const double next = ((2 * k + 1) * x * now - k * before) / (k + 1);
        before = now;
        now = next;
    }
    return {now, static_cast<double>(n) * (before - x * now) / (1 - x * x)};
}

double tripled(double now, double before, double x, double k) { return ((2 * k + 1) * x * now - k * before) / (k + 1); }

/// Σ over the lanes, in a fixed order.
double total(const std::array<double, lanes>& sums) {
    double all = 0;
    for (const double x : sums)
        all += x;
    return all;
}

} // namespace

double legsStep(Rule rule, int64_t k) {
    const double t = static_cast<double>(k + 1);
    return rule == Rule::Zoh ? std::log1p(1 / t) : 1 / t;
}

LegsStepper::LegsStepper(int64_t states, Rule how) : n(states), rule(how) {
    for (int64_t i = 0; i < n; ++i)
        norms.push_back(std::sqrt(static_cast<double>(2 * i + 1)));
    if (rule != Rule::Zoh && rule != Rule::Mamba)
        return;
    const size_t padded = (static_cast<size_t>(n) + lanes - 1) / lanes * lanes;
    nodes.assign(padded, 0.5);
    weights.assign(padded, 0.0); // what fills the last lanes counts nothing
    for (int64_t i = 0; i < n; ++i) {
        // Newton's method from Tricomi's estimate of the root.
        double x = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) / (static_cast<double>(n) + 0.5));
        for (int round = 0; round < 8; ++round) {
            const Legendre p = legendreAt(n, x);
            x -= p.value / p.slope;
        }
        const double slope = legendreAt(n, x).slope;
        nodes[static_cast<size_t>(i)] = (1 + x) / 2;
        weights[static_cast<size_t>(i)] = 1 / ((1 - x * x) * slope * slope);
    }
    rows.resize(static_cast<size_t>(n) * padded);
    for (size_t q = 0; q < padded; ++q) {
        double last = 0, value = 1;
        for (size_t i = 0; i < norms.size(); ++i) {
            rows[i * padded + q] = norms[i] * value;
            const double next = tripled(value, last, 2 * nodes[q] - 1, static_cast<double>(i));
            last = value;
            value = next;
        }
    }
    sums.resize(padded);
    before.resize(padded);
    now.resize(padded);
}

void LegsStepper::step(int64_t k, double u, std::span<double> c) {
    const double length = legsStep(rule, k);
    switch (rule) {
    case Rule::ForwardEuler:
        return add(c, length, u);
    case Rule::BackwardEuler:
        for (size_t i = 0; i < c.size(); ++i)
            c[i] += length * norms[i] * u;
        return solve(c, length);
    case Rule::Bilinear:
        // (I - ΔA/2)⁻¹ takes all of ΔB u, of which the product has added half.
        add(c, length / 2, u);
        for (size_t i = 0; i < c.size(); ++i)
            c[i] += length / 2 * norms[i] * u;
        return solve(c, length / 2);
    case Rule::Zoh: {
        const double ratio = static_cast<double>(k + 1) / static_cast<double>(k + 2);
        stretch(c, ratio);
        return addHeld(c, ratio, u);
    }
    case Rule::Mamba:
        stretch(c, std::exp(-length));
        for (size_t i = 0; i < c.size(); ++i)
            c[i] += length * norms[i] * u;
    }
}

void LegsStepper::add(std::span<double> c, double lambda, double u) const {
    double sum = 0; // Σ_(k <= n) √(2k+1) c_k
    for (size_t i = 0; i < c.size(); ++i) {
        sum += norms[i] * c[i];
        c[i] += lambda * (static_cast<double>(i) * c[i] - norms[i] * sum + norms[i] * u);
    }
}

void LegsStepper::solve(std::span<double> c, double lambda) const {
    double sum = 0; // Σ_(k < n) √(2k+1) z_k, a linear recurrence of its own
    for (size_t i = 0; i < c.size(); ++i) {
        c[i] = (c[i] - lambda * norms[i] * sum) / (1 + lambda * static_cast<double>(i + 1));
        sum += norms[i] * c[i];
    }
}

void LegsStepper::stretch(std::span<double> c, double ratio) {
    const size_t padded = nodes.size();
    std::fill(sums.begin(), sums.end(), 0.0);
    for (size_t i = 0; i < c.size(); ++i)
        for (size_t q = 0; q < padded; ++q)
            sums[q] += c[i] * rows[i * padded + q];
    for (size_t q = 0; q < padded; ++q)
        sums[q] *= ratio * weights[q];
    std::fill(before.begin(), before.end(), 0.0);
    std::fill(now.begin(), now.end(), 1.0);
    for (size_t i = 0; i < c.size(); ++i) {
        const auto k = static_cast<double>(i);
        const double a = (2 * k + 1) / (k + 1), b = k / (k + 1);
        std::array<double, lanes> all{};
        for (size_t q = 0; q < padded; q += lanes)
            for (size_t l = q; l < q + lanes; ++l) {
                all[l - q] += sums[l] * now[l];
                const double next = a * (2 * ratio * nodes[l] - 1) * now[l] - b * before[l];
                before[l] = now[l];
                now[l] = next;
            }
        c[i] = norms[i] * total(all);
    }
}

void LegsStepper::addHeld(std::span<double> c, double ratio, double u) const {
    // ∫_r^1 P_n(2x - 1) dx = (P_(n-1)(y) - P_(n+1)(y)) / (2 (2n + 1)) at y = 2r - 1; of n = 0 it is 1 - r.
    const double y = 2 * ratio - 1;
    double last = 1, value = y; // P_0, P_1
    c[0] += (1 - ratio) * u;
    for (size_t i = 1; i < c.size(); ++i) {
        const double next = tripled(value, last, y, static_cast<double>(i));
        c[i] += u * (last - next) / (2 * norms[i]);
        last = value;
        value = next;
    }
}

} // namespace warplight::ssm
