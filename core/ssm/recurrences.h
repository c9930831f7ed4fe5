// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Relatives of state space models as plain recurrences, T being the type that they are computed in. Row-major; a state
/// begins with zeros.
namespace warplight::ssm {

/// λ of LRU from what it learns, e^(-e^ν + i e^θ): its size stays below 1 (Orvieto et al. 2023).
template <class T>
std::complex<T> lruPole(T nu, T theta) {
    return std::polar(std::exp(-std::exp(nu)), std::exp(theta));
}
/// γ = √(1 - |λ|²), by which states keep the size of what comes in.
template <class T>
T lruGain(std::complex<T> lambda) {
    const T size = std::abs(lambda);
    return std::sqrt((1 - size) * (1 + size));
}

/// LRU: x_t = λ x_(t-1) + γ u_t, each state by itself. λ [n], inputs and states [length, n].
template <class T>
void lru(std::span<const std::complex<T>> lambda, std::span<const std::complex<T>> inputs,
         std::span<std::complex<T>> states) {
    const size_t n = lambda.size();
    for (size_t i = 0; i < inputs.size(); ++i) {
        states[i] = lruGain(lambda[i % n]) * inputs[i];
        if (i >= n)
            states[i] += lambda[i % n] * states[i - n];
    }
}

/// RWKV-4 (Peng et al. 2023): o_t = (p + e^(u + k_t) v_t) / (q + e^(u + k_t)), then p = e^w p + e^(k_t) v_t and
/// q = e^w q + e^(k_t), w < 0. p and q are kept over e^m, m the largest exponent so far, so that nothing overflows.
/// k, v and o [length, channels]; w and u [channels].
template <class T>
void rwkv4(std::span<const T> k, std::span<const T> v, std::span<const T> w, std::span<const T> u, std::span<T> o) {
    const size_t channels = w.size();
    std::vector<T> p(channels), q(channels), m(channels, T(-1e38));
    for (size_t i = 0; i < k.size(); ++i) {
        const size_t c = i % channels;
        const T now = u[c] + k[i], top = std::max(m[c], now);
        const T past = std::exp(m[c] - top), weight = std::exp(now - top);
        o[i] = (past * p[c] + weight * v[i]) / (past * q[c] + weight);
        const T next = std::max(m[c] + w[c], k[i]);
        const T kept = std::exp(m[c] + w[c] - next), added = std::exp(k[i] - next);
        p[c] = kept * p[c] + added * v[i];
        q[c] = kept * q[c] + added;
        m[c] = next;
    }
}

/// RWKV-6 (Peng et al. 2024), one head: o_t = r_t (S + diag(u) k_t v_tᵀ), then S = diag(e^(w_t)) S + k_t v_tᵀ, w < 0.
/// r, k and w [length, keys]; u [keys]; v and o [length, values]; S [keys, values], left as it is in the end.
template <class T>
void rwkv6(std::span<const T> r, std::span<const T> k, std::span<const T> v, std::span<const T> w, std::span<const T> u,
           std::span<T> o, std::span<T> state) {
    const size_t keys = u.size(), values = state.size() / keys;
    std::fill(o.begin(), o.end(), T(0));
    for (size_t t = 0; t < k.size() / keys; ++t)
        for (size_t i = 0; i < keys; ++i) {
            const size_t at = t * keys + i;
            const T decay = std::exp(w[at]);
            for (size_t j = 0; j < values; ++j) {
                const T added = k[at] * v[t * values + j];
                T& s = state[i * values + j];
                o[t * values + j] += r[at] * (s + u[i] * added);
                s = decay * s + added;
            }
        }
}

} // namespace warplight::ssm
