// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/sparse/low_rank.h"
#include "tests/core/cpu/problem.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace warplight::test {

/// A problem that owns its tensors; O lies between sentinels.
struct LowRankCase {
    OwnedProblem attention;
    sparse::LowRankMethod method;
    int64_t rank;
    std::vector<float> e, f;

    LowRankCase(cpu::AttentionProblem shape, sparse::LowRankMethod m, int64_t r, unsigned seed = 1)
        : attention(shape, seed), method(m), rank(r) {
        OwnedProblem random({1, 1, 1, 2 * r, 1, std::max<int64_t>(shape.keyLen, 1), 1.0f, false}, seed + 1);
        const auto half = random.q.begin() + static_cast<std::ptrdiff_t>(random.q.size() / 2);
        e.assign(random.q.begin(), half);
        f.assign(half, random.q.end());
        for (std::vector<float>* x : {&e, &f})
            for (float& value : *x)
                value /= std::sqrt(static_cast<float>(r));
    }
    sparse::LowRankProblem problem() {
        attention.o.assign(attention.outputs() + 2 * OwnedProblem::guard, OwnedProblem::sentinel);
        attention.lse.assign(attention.rows() + 2 * OwnedProblem::guard, OwnedProblem::sentinel);
        sparse::LowRankProblem x{attention.shape, method, rank, e.data(), f.data()};
        x.attention.q = attention.q.data();
        x.attention.k = attention.k.data();
        x.attention.v = attention.v.data();
        x.attention.o = attention.output();
        return x;
    }
    std::vector<float> run(sparse::LowRankRung rung, const cpu::RunOptions& options = {}) {
        const sparse::LowRankProblem x = problem();
        most = extraBytesAtMost(rung, x, options.threads);
        held = lowRankForward(rung, x, options).extraBytes;
        return {attention.output(), attention.output() + attention.outputs()};
    }
    int64_t held = 0, most = 0;
};

inline double worst(const std::vector<float>& a, const std::vector<float>& b) {
    double found = a.size() == b.size() ? 0 : INFINITY;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        found = std::max(found, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return found;
}

/// The largest sum of sizes that a scaled score is made of: what its rounding errors are relative to.
inline double logitMagnitude(const LowRankCase& x) {
    const auto& p = x.attention.shape;
    std::vector<double> keys(x.attention.k.size()); // |K|, or |E| |K|
    const auto d = static_cast<size_t>(p.headDim), n = static_cast<size_t>(p.keyLen);
    const bool isLinformer = x.method == sparse::LowRankMethod::Linformer;
    for (size_t i = 0; i < keys.size(); ++i) {
        keys[i] = isLinformer ? 0 : std::fabs(static_cast<double>(x.attention.k[i]));
        const size_t head = i / d / n, key = i / d % n;
        for (size_t j = 0; isLinformer && key < static_cast<size_t>(x.rank) && j < n; ++j)
            keys[i] += std::fabs(static_cast<double>(x.e[key * n + j]) *
                                 static_cast<double>(x.attention.k[(head * n + j) * d + i % d]));
    }
    double largest = 0;
    for (size_t q = 0; q < x.attention.q.size(); q += d)
        for (size_t k = 0; k < keys.size(); k += d) {
            double sum = 0;
            for (size_t c = 0; c < d; ++c)
                sum += std::fabs(static_cast<double>(x.attention.q[q + c])) * keys[k + c];
            largest = std::max(largest, sum * static_cast<double>(p.scale));
        }
    return largest;
}

} // namespace warplight::test
