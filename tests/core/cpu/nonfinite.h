// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/core/cpu/problem.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace warplight::test {

/// Where a tensor holds what is no number.
struct Situation {
    const char* name;
    void (*poison)(OwnedProblem& p);
};

inline constexpr float nan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float inf = std::numeric_limits<float>::infinity();

/// One feature of a row of the first head.
inline float& at(std::vector<float>& x, const OwnedProblem& p, int64_t row, int64_t feature) {
    return x[static_cast<size_t>(row * p.shape.headDim + feature % p.shape.headDim)];
}
inline int64_t lastKey(const OwnedProblem& p) { return p.shape.keyLen - 1; }

inline constexpr Situation situations[] = {
    {"NaN in a query", [](OwnedProblem& p) { at(p.q, p, p.shape.queryLen / 2, 5) = nan; }},
    {"NaN in the first key", [](OwnedProblem& p) { at(p.k, p, 0, 5) = nan; }},
    {"NaN in a key", [](OwnedProblem& p) { at(p.k, p, lastKey(p) / 2, 5) = nan; }},
    {"NaN in the last key", [](OwnedProblem& p) { at(p.k, p, lastKey(p), 0) = nan; }},
    {"negative NaN with a payload",
     [](OwnedProblem& p) {
         const uint32_t bits = 0xffc12345;
         std::memcpy(&at(p.k, p, lastKey(p) / 2, 3), &bits, sizeof bits);
     }},
    {"NaN in every key", [](OwnedProblem& p) { std::fill(p.k.begin(), p.k.end(), nan); }},
    {"+inf and -inf as scores of a key", [](OwnedProblem& p) { at(p.k, p, lastKey(p) / 2, 0) = -inf; }},
    {"+inf in a query", [](OwnedProblem& p) { at(p.q, p, p.shape.queryLen / 2, 1) = inf; }},
    {"+inf or -inf as every score",
     [](OwnedProblem& p) {
         for (int64_t j = 0; j <= lastKey(p); ++j)
             at(p.k, p, j, 0) = -inf;
     }},
    {"-inf as every score but one, which is NaN",
     [](OwnedProblem& p) {
         for (float& x : p.q)
             x = std::fabs(x);
         for (int64_t j = 0; j <= lastKey(p); ++j)
             at(p.k, p, j, 0) = j == lastKey(p) / 2 ? nan : -inf;
     }},
    {"NaN in a value", [](OwnedProblem& p) { at(p.v, p, lastKey(p) / 2, 3) = nan; }},
    {"NaN in the last value", [](OwnedProblem& p) { at(p.v, p, lastKey(p), 2) = nan; }},
    {"NaN in the last values of all",
     [](OwnedProblem& p) {
         for (int64_t j = lastKey(p) / 2; j <= lastKey(p); ++j)
             at(p.v, p, j, j) = nan;
     }},
    {"inf in a value", [](OwnedProblem& p) { at(p.v, p, lastKey(p) / 3, 1) = -inf; }},
    {"NaN as the value of a score of -inf",
     [](OwnedProblem& p) {
         for (float& x : p.q)
             x = std::fabs(x);
         at(p.k, p, lastKey(p) / 2, 0) = -inf;
         at(p.v, p, lastKey(p) / 2, 1) = nan;
     }},
    {"NaN as the value of the first key, whose score is -inf",
     [](OwnedProblem& p) {
         for (float& x : p.q)
             x = std::fabs(x);
         at(p.k, p, 0, 0) = -inf;
         at(p.v, p, 0, 1) = nan;
     }},
};

/// Empty if `got` is NaN exactly where `want` is, infinite alike, and within `bound` elsewhere.
template <class Bound>
std::string differences(const char* name, const float* got, const std::vector<double>& want, const Bound& bound) {
    for (size_t i = 0; i < want.size(); ++i) {
        const double x = static_cast<double>(got[i]);
        const bool same = std::isnan(want[i])   ? std::isnan(x)
                          : std::isinf(want[i]) ? x == want[i]
                                                : std::fabs(x - want[i]) <= bound(i);
        if (!same)
            return std::string(name) + "[" + std::to_string(i) + "] is " + std::to_string(x) + " instead of " +
                   std::to_string(want[i]);
    }
    return {};
}

} // namespace warplight::test
