// SPDX-License-Identifier: GPL-3.0-or-later
// What a pair of steps weighs, with the decays between them: products of factors alone, so that nothing is divided by
// a decay that may be zero.
#pragma once

#include "core/cpu/linear/forms.h"
#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace warplight::cpu {

/// Σ a·b in eight sums, which a compiler keeps in a vector.
template <class T>
T dotOf(const T* a, const T* b, int64_t count) {
    constexpr int64_t sums = 8;
    T partial[sums] = {};
    int64_t i = 0;
    for (; i + sums <= count; i += sums)
        for (int64_t j = 0; j < sums; ++j)
            partial[j] += a[i + j] * b[i + j];
    T all = 0;
    for (const T x : partial)
        all += x;
    for (; i < count; ++i)
        all += a[i] * b[i];
    return all;
}

template <class T>
void addTimes(T factor, const T* x, int64_t count, T* to) {
    for (int64_t i = 0; i < count; ++i)
        to[i] += factor * x[i];
}

/// weights[j - begin] for keys j = begin … end-1 of x = q_i or k_i, decayed by all factors of the steps j+1 … i, where
/// i ≥ end - 1. `faded` [features] is left as x times the factors of begin+1 … i (of begin … i if `whole`): what reads
/// the state before step `begin`. Steps backwards, so that rows are independent of one another.
template <class T>
void pairWeights(const Head<T>& head, Gates gates, const T* x, int64_t i, int64_t begin, int64_t end, T* weights,
                 T* faded, bool whole) {
    const int64_t d = head.features;
    std::copy_n(x, d, faded);
    T gamma = 1;
    for (int64_t j = i; j >= begin; --j) {
        if (j < end) {
            const T product = dotOf(faded, head.k + j * d, d);
            weights[j - begin] = gates.perStep == 1 ? gamma * product : product;
        }
        if (gates.perStep == 0 || (j == begin && !whole))
            continue;
        if (gates.perStep == 1)
            gamma *= head.decay[j];
        else
            for (int64_t f = 0; f < d; ++f)
                faded[f] *= head.decay[j * d + f];
    }
    if (gates.perStep == 1)
        for (int64_t f = 0; f < d; ++f)
            faded[f] *= gamma;
}

/// u_t = β_t (v_t - Σ_{j<t} Γ_tj (k_t·k_j) u_j) for the steps begin … end-1: the value that a step really adds.
/// `known` [end - begin, columns] holds v_t less what the state before `begin` recalls, and becomes u. Forward
/// substitution: the triangular inverse, applied.
template <class T>
void substitute(const Head<T>& head, Gates gates, int64_t begin, int64_t end, T* known, T* weights, T* faded,
                const std::atomic<bool>* cancel) {
    const int64_t c = head.columns;
    for (int64_t i = begin; i < end; ++i) {
        checkCancelled(cancel);
        T* u = known + (i - begin) * c;
        pairWeights(head, gates, head.k + i * head.features, i, begin, i, weights, faded, false);
        for (int64_t j = begin; j < i; ++j)
            addTimes(-weights[j - begin], known + (j - begin) * c, c, u);
        for (int64_t x = 0; x < c; ++x)
            u[x] *= head.beta[i];
    }
}

/// state [features, columns] = Σ over the steps begin … end-1 of their keys, decayed by what follows them, times u.
/// `faded` [features] is left as the factors of all these steps together.
template <class T>
void finalState(const Head<T>& head, Gates gates, int64_t begin, int64_t end, const T* u, T* state, T* faded,
                const std::atomic<bool>* cancel) {
    const int64_t d = head.features, c = head.columns;
    std::fill_n(state, d * c, T{0});
    std::fill_n(faded, d, T{1});
    for (int64_t j = end - 1; j >= begin; --j) {
        checkCancelled(cancel);
        for (int64_t f = 0; f < d; ++f)
            addTimes(faded[f] * head.k[j * d + f], u + (j - begin) * c, c, state + f * c);
        for (int64_t f = 0; gates.perStep > 0 && f < d; ++f)
            faded[f] *= head.decay[gates.perStep == 1 ? j : j * d + f];
    }
}

} // namespace warplight::cpu
