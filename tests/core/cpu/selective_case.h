// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/ssm/selective_backward.h"
#include "core/cpu/ssm/selective_scan.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

namespace warplight::test {

/// A selective scan that owns its tensors. Optional ones are there unless they are cleared.
template <class T>
struct SelectiveCase {
    using Numbers = std::vector<T>;
    static constexpr size_t guard = 64;

    cpu::SelectiveShape shape;
    Numbers u, delta, a, b, c, d, z, bias, first, dy, y, last;

    explicit SelectiveCase(const cpu::SelectiveShape& s, unsigned seed = 5) : shape(s) {
        std::mt19937 random(seed);
        const auto normal = [&](int64_t count, double deviation = 1, double mean = 0) {
            std::normal_distribution<double> numbers(mean, deviation);
            Numbers made(static_cast<size_t>(count));
            for (T& x : made)
                x = static_cast<T>(static_cast<float>(numbers(random)));
            return made;
        };
        const int64_t rows = s.batch * s.dim * s.length, groups = s.batch * s.groups * s.state * s.length;
        u = normal(rows), z = normal(rows), dy = normal(rows);
        delta = normal(rows, 1, -2);
        b = normal(groups), c = normal(groups);
        a = normal(s.dim * s.state);
        for (size_t i = 0; i < a.size(); ++i)
            a[i] = -std::round(std::fabs(a[i]) * 16) / 16 - static_cast<T>(i % static_cast<size_t>(s.state)) -
                   static_cast<T>(0.125); // the same in both precisions
        d = normal(s.dim), bias = normal(s.dim, 0.1);
        first = normal(s.batch * s.dim * s.state);
        if (!s.softplus) {
            bias.clear();
            for (T& x : delta)
                x = static_cast<T>(std::exp(static_cast<float>(x)));
        }
    }

    cpu::SelectiveTensors<T> tensors() {
        y.assign(u.size() + guard, static_cast<T>(7));
        last.assign(static_cast<size_t>(shape.batch * shape.dim * shape.state) + guard, static_cast<T>(7));
        const auto at = [](const Numbers& x) { return x.empty() ? nullptr : x.data(); };
        return {u.data(), delta.data(), a.data(),  b.data(), c.data(),   at(d),
                at(z),    at(bias),     at(first), y.data(), last.data()};
    }

    /// y and the last state; empty where numbers were written behind them.
    std::pair<Numbers, Numbers> run(cpu::SelectiveRung rung, const cpu::RunOptions& options = {},
                                    int64_t* held = nullptr) {
        const auto t = tensors();
        cpu::RunCost cost;
        if constexpr (std::is_same_v<T, float>)
            cost = cpu::selectiveScan(rung, shape, t, options);
        else
            cost = cpu::selectiveScan(shape, t, options);
        if (held)
            *held = cost.extraBytes;
        for (Numbers* x : {&y, &last}) {
            if (!std::all_of(x->end() - guard, x->end(), [](T v) { return v == static_cast<T>(7); }))
                return {};
            x->resize(x->size() - guard);
        }
        return {y, last};
    }
};

/// The largest difference, relative to the largest number; infinite where they are not numbers alike.
template <class A, class B>
double apartBy(const std::vector<A>& got, const std::vector<B>& want) {
    if (got.size() != want.size())
        return std::numeric_limits<double>::infinity();
    double worst = 0, largest = 0;
    for (size_t i = 0; i < got.size(); ++i) {
        const double x = static_cast<double>(got[i]), y = static_cast<double>(want[i]);
        if (x == y || (std::isnan(x) && std::isnan(y)))
            continue;
        worst = std::isfinite(x - y) ? std::max(worst, std::fabs(x - y)) : std::numeric_limits<double>::infinity();
    }
    for (const B x : want)
        if (std::isfinite(x))
            largest = std::max(largest, std::fabs(static_cast<double>(x)));
    return worst / std::max(largest, 1e-30);
}

} // namespace warplight::test
