// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/backward.h"
#include "tests/core/cpu/problem.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace warplight::test {

/// dQ, dK, dV in double precision by the chain rule, and for each the sum of the sizes of its terms.
struct TrueGradients {
    std::vector<double> dq, dk, dv, sizeQ, sizeK, sizeV;
    TrueGradients(const OwnedProblem& p, const std::vector<float>& dOut) {
        const auto& s = p.shape;
        const int64_t d = s.headDim;
        for (auto* x : {&dq, &sizeQ})
            x->assign(p.q.size(), 0);
        for (auto* x : {&dk, &dv, &sizeK, &sizeV})
            x->assign(p.k.size(), 0);
        const auto at = [](int64_t i) { return static_cast<size_t>(i); };
        for (int64_t head = 0; head < s.batch * s.queryHeads; ++head) {
            const int64_t keyHead = head / s.queryHeads * s.keyHeads + head % s.queryHeads * s.keyHeads / s.queryHeads,
                          k0 = keyHead * s.keyLen * d;
            for (int64_t i = 0; i < s.queryLen; ++i) {
                const int64_t q0 = (head * s.queryLen + i) * d,
                              keys =
                                  s.causal ? std::clamp<int64_t>(i + 1 + s.keyLen - s.queryLen, 0, s.keyLen) : s.keyLen;
                std::vector<double> weight(at(keys)), dp(at(keys));
                double most = -1e300, sum = 0, rowSum = 0;
                for (int64_t j = 0; j < keys; ++j) {
                    for (int64_t c = 0; c < d; ++c) {
                        weight[at(j)] += double(p.q[at(q0 + c)]) * double(p.k[at(k0 + j * d + c)]) * double(s.scale);
                        dp[at(j)] += double(dOut[at(q0 + c)]) * double(p.v[at(k0 + j * d + c)]);
                    }
                    most = std::max(most, weight[at(j)]);
                }
                for (double& w : weight)
                    sum += w = std::exp(w - most);
                for (int64_t j = 0; j < keys; ++j) // weights of -inf are 0, also where all are
                    rowSum += (weight[at(j)] /= sum == 0 ? 1 : sum) * dp[at(j)];
                for (int64_t j = 0; j < keys; ++j) {
                    const double ds = weight[at(j)] * (dp[at(j)] - rowSum) * double(s.scale),
                                 size =
                                     weight[at(j)] * (std::fabs(dp[at(j)]) + std::fabs(rowSum) + 1) * double(s.scale);
                    for (int64_t c = 0; c < d; ++c) {
                        const double q = p.q[at(q0 + c)], k = p.k[at(k0 + j * d + c)], o = dOut[at(q0 + c)];
                        dq[at(q0 + c)] += ds * k;
                        dk[at(k0 + j * d + c)] += ds * q;
                        dv[at(k0 + j * d + c)] += weight[at(j)] * o;
                        sizeQ[at(q0 + c)] += size * std::fabs(k);
                        sizeK[at(k0 + j * d + c)] += size * std::fabs(q);
                        sizeV[at(k0 + j * d + c)] += weight[at(j)] * std::fabs(o);
                    }
                }
            }
        }
    }
};

/// A backward problem that owns its tensors; the forward pass has been run in double precision. Gradients lie between
/// sentinels that must survive.
struct OwnedGradients {
    OwnedProblem forward;
    std::vector<float> dOut, dq, dk, dv;

    explicit OwnedGradients(OwnedProblem p) : forward(std::move(p)) {
        for (size_t i = 0; i < forward.q.size(); ++i)
            dOut.push_back(std::sin(static_cast<float>(i) * 0.37f));
    }
    explicit OwnedGradients(const cpu::AttentionProblem& shape, unsigned seed = 1)
        : OwnedGradients(OwnedProblem(shape, seed)) {}

    float* gradient(std::vector<float>& x) const { return x.data() + OwnedProblem::guard; }

    cpu::BackwardProblem problem() {
        forward.run(cpu::Implementation::Reference);
        const auto poisoned = [](size_t count) {
            return std::vector<float>(count + 2 * OwnedProblem::guard, OwnedProblem::sentinel);
        };
        dq = poisoned(forward.q.size());
        dk = poisoned(forward.k.size());
        dv = poisoned(forward.v.size());
        cpu::BackwardProblem b;
        b.forward = forward.shape;
        b.forward.q = forward.q.data();
        b.forward.k = forward.k.data();
        b.forward.v = forward.v.data();
        b.forward.o = forward.output();
        b.forward.lse = forward.logSumExp();
        b.dOut = dOut.data();
        b.dq = gradient(dq);
        b.dk = gradient(dk);
        b.dv = gradient(dv);
        return b;
    }
    cpu::RunCost run(cpu::BackwardRung rung, const cpu::RunOptions& options = {}) {
        return cpu::attentionBackward(rung, problem(), options);
    }

    bool guardsIntact() const {
        for (const std::vector<float>* x : {&dq, &dk, &dv})
            for (size_t i = 0; i < OwnedProblem::guard; ++i)
                if ((*x)[i] != OwnedProblem::sentinel || (*x)[x->size() - 1 - i] != OwnedProblem::sentinel)
                    return false;
        return true;
    }
};

} // namespace warplight::test
