// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/gau.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace warplight::test {

/// A gated attention unit with weights that make about half of the scores positive.
struct GauCase {
    cpu::GauShape shape;
    std::vector<float> x, wu, wv, wz, gamma, beta, wo, y;

    explicit GauCase(const cpu::GauShape& p, unsigned seed = 3) : shape(p) {
        std::mt19937 random(seed);
        const auto normal = [&](int64_t count, double deviation) {
            std::normal_distribution<double> numbers(0, deviation);
            std::vector<float> made(static_cast<size_t>(count));
            for (float& each : made)
                each = static_cast<float>(numbers(random));
            return made;
        };
        const double in = 1 / std::sqrt(static_cast<double>(p.features)),
                     out = 1 / std::sqrt(static_cast<double>(p.expanded));
        x = normal(p.rows() * p.features, 1);
        wu = normal(p.features * p.expanded, in);
        wv = normal(p.features * p.expanded, in);
        wz = normal(p.features * p.shared, in);
        gamma = normal(p.views() * p.shared, 4);
        beta = normal(p.views() * p.shared, 1);
        wo = normal(p.expanded * p.features, out);
        y.resize(x.size(), NAN);
    }

    cpu::GauProblem problem() {
        return {shape, x.data(), wu.data(), wv.data(), wz.data(), gamma.data(), beta.data(), wo.data(), y.data()};
    }
    std::vector<float> run(cpu::GauRung rung, const cpu::RunOptions& options = {}) {
        std::fill(y.begin(), y.end(), NAN);
        cpu::gau(rung, problem(), options);
        return y;
    }
};

/// The largest difference, relative to the largest expected number; infinite where one of both is NaN.
template <class A, class B>
double worstError(const A& found, const B& expected) {
    double difference = found.size() == expected.size() ? 0 : INFINITY, largest = 0;
    for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
        const double e = static_cast<double>(expected[i]), d = std::fabs(static_cast<double>(found[i]) - e);
        difference = std::isnan(d) ? INFINITY : std::max(difference, d);
        largest = std::max(largest, std::fabs(e));
    }
    return difference / largest;
}

} // namespace warplight::test
