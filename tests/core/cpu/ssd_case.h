// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/ssm/ssd.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace warplight::test {

/// A problem of SSD that owns its tensors; decays are between 0.2 and 1 a step.
struct SsdCase {
    cpu::SsdShape shape;
    std::vector<float> x, a, b, c, initial, y, last;

    explicit SsdCase(const cpu::SsdShape& s, bool begins = false, unsigned seed = 5) : shape(s) {
        std::mt19937 random(seed);
        std::normal_distribution<float> normal(0, 1);
        std::uniform_real_distribution<float> logarithm(-7, 0.5f);
        const auto filled = [&](int64_t count, auto&& number) {
            std::vector<float> made(static_cast<size_t>(count));
            for (float& each : made)
                each = number();
            return made;
        };
        const auto gaussian = [&] { return normal(random); };
        const int64_t steps = s.batch * s.length;
        x = filled(steps * s.heads * s.headDim, gaussian);
        a = filled(steps * s.heads, [&] { return -std::exp(logarithm(random)); });
        b = filled(steps * s.groups * s.stateDim, gaussian);
        c = filled(steps * s.groups * s.stateDim, gaussian);
        initial = filled(begins ? s.allHeads() * s.headDim * s.stateDim : 0, gaussian);
        y.resize(x.size());
        last.resize(static_cast<size_t>(s.allHeads() * s.headDim * s.stateDim));
    }

    cpu::SsdTensors tensors() {
        return {x.data(), a.data(),   b.data(), c.data(), initial.empty() ? nullptr : initial.data(),
                y.data(), last.data()};
    }
    cpu::RunCost run(cpu::SsdRung rung, const cpu::RunOptions& options = {}) {
        y.assign(y.size(), NAN);
        last.assign(last.size(), NAN);
        return cpu::ssd(rung, shape, tensors(), options);
    }
};

/// For gradients: dY of normal numbers.
inline std::vector<float> gradientOfY(const SsdCase& c) {
    std::mt19937 random(11);
    std::normal_distribution<float> normal(0, 1);
    std::vector<float> dy(c.y.size());
    std::generate(dy.begin(), dy.end(), [&] { return normal(random); });
    return dy;
}

inline cpu::SsdShape ssdShape(int64_t batch, int64_t length, int64_t heads, int64_t groups, int64_t headDim,
                              int64_t stateDim, int64_t chunk) {
    cpu::SsdShape s;
    s.batch = batch, s.length = length, s.heads = heads, s.groups = groups;
    s.headDim = headDim, s.stateDim = stateDim, s.chunk = chunk;
    return s;
}

} // namespace warplight::test
