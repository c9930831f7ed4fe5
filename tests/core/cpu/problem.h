// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <vector>

namespace warplight::test {

/// An attention problem that owns its tensors. Outputs lie between sentinels that must survive.
struct OwnedProblem {
    static constexpr size_t guard = 64;
    static constexpr float sentinel = 12345.678f;

    cpu::AttentionProblem shape;
    std::vector<float> q, k, v, o, lse;

    explicit OwnedProblem(cpu::AttentionProblem s, unsigned seed = 1) : shape(s) {
        std::mt19937 random(seed);
        std::normal_distribution<float> gaussian;
        const auto fill = [&](std::vector<float>& x, int64_t count) {
            x.resize(static_cast<size_t>(count));
            for (float& value : x)
                value = gaussian(random);
        };
        fill(q, shape.batch * shape.queryHeads * shape.queryLen * shape.headDim);
        fill(k, shape.batch * shape.keyHeads * shape.keyLen * shape.headDim);
        fill(v, shape.batch * shape.keyHeads * shape.keyLen * shape.headDim);
        if (shape.scale == 0)
            shape.scale = 1.0f / std::sqrt(static_cast<float>(shape.headDim));
    }

    float* output() { return o.data() + guard; }
    float* logSumExp() { return lse.data() + guard; }
    size_t outputs() const { return q.size(); }
    size_t rows() const { return q.size() / static_cast<size_t>(shape.headDim); }

    /// Poisons the outputs, runs, and returns what it cost.
    cpu::AttentionCost run(cpu::Implementation implementation, const cpu::Execution& execution = {}) {
        o.assign(outputs() + 2 * guard, sentinel);
        lse.assign(rows() + 2 * guard, sentinel);
        cpu::AttentionProblem p = shape;
        p.q = q.data();
        p.k = k.data();
        p.v = v.data();
        p.o = output();
        p.lse = logSumExp();
        return cpu::attentionForward(implementation, p, execution);
    }

    bool guardsIntact() const {
        const auto intact = [](const std::vector<float>& x) {
            for (size_t i = 0; i < guard; ++i)
                if (x[i] != sentinel || x[x.size() - 1 - i] != sentinel)
                    return false;
            return true;
        };
        return intact(o) && intact(lse);
    }
};

/// O and its log-sum-exp in double precision by brute force, NaN where its IEEE arithmetic says so, and for each output
/// Σ p·|v|: how large the numbers were that cancelled into it, the natural unit of rounding errors (as in oneDNN's
/// benchdnn).
struct Truth {
    std::vector<double> o, magnitude, lse, logitMagnitude;

    using Visible = std::function<bool(int64_t head, int64_t query, int64_t key)>;

    /// `visible`: what a mask beside the causal one leaves; empty: everything.
    explicit Truth(const OwnedProblem& p, const Visible& visible = {}) {
        const auto& s = p.shape;
        const int64_t d = s.headDim;
        std::vector<double> score(static_cast<size_t>(s.keyLen));
        for (int64_t head = 0; head < s.batch * s.queryHeads; ++head) {
            const int64_t keyHead = head / s.queryHeads * s.keyHeads + head % s.queryHeads * s.keyHeads / s.queryHeads;
            const float* k = p.k.data() + keyHead * s.keyLen * d;
            const float* v = p.v.data() + keyHead * s.keyLen * d;
            for (int64_t i = 0; i < s.queryLen; ++i) {
                const float* q = p.q.data() + (head * s.queryLen + i) * d;
                const int64_t keys =
                    s.causal ? std::min(s.keyLen, std::max<int64_t>(0, i + 1 + s.keyLen - s.queryLen)) : s.keyLen;
                double max = -std::numeric_limits<double>::infinity(), largestTerm = 0;
                for (int64_t j = 0; j < keys; ++j) {
                    if (visible && !visible(head, i, j))
                        continue;
                    double dot = 0, terms = 0;
                    for (int64_t c = 0; c < d; ++c) {
                        dot += static_cast<double>(q[c]) * static_cast<double>(k[j * d + c]);
                        terms += std::fabs(static_cast<double>(q[c]) * static_cast<double>(k[j * d + c]));
                    }
                    score[static_cast<size_t>(j)] = dot * static_cast<double>(s.scale);
                    largestTerm = std::max(largestTerm, terms * std::fabs(static_cast<double>(s.scale)));
                    max = std::max(max, score[static_cast<size_t>(j)]);
                }
                const double base = std::isinf(max) && max < 0 ? 0 : max; // weights of -inf are 0, also where all are
                double sum = 0;
                std::vector<double> out(static_cast<size_t>(d)), size(static_cast<size_t>(d));
                for (int64_t j = 0; j < keys; ++j) {
                    if (visible && !visible(head, i, j))
                        continue;
                    const double w = std::exp(score[static_cast<size_t>(j)] - base);
                    sum += w;
                    for (int64_t c = 0; c < d; ++c) {
                        out[static_cast<size_t>(c)] += w * static_cast<double>(v[j * d + c]);
                        size[static_cast<size_t>(c)] += w * std::fabs(static_cast<double>(v[j * d + c]));
                    }
                }
                for (size_t c = 0; c < static_cast<size_t>(d); ++c) {
                    o.push_back(sum == 0 ? 0 : out[c] / sum);
                    magnitude.push_back(sum == 0 ? 0 : size[c] / sum);
                }
                lse.push_back(sum == 0 ? -std::numeric_limits<double>::infinity() : base + std::log(sum));
                logitMagnitude.push_back(largestTerm);
            }
        }
    }
};

} // namespace warplight::test
