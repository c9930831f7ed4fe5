// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace warplight::cpu {

/// One step of a state S [rows, columns] that takes a key and a value and is read by a query.
struct StateStep {
    float* state;
    int64_t rows, columns;    ///< columns: a multiple of RecurrenceKernels::lanes
    float factor;             ///< that the state decays by
    const float *key, *query; ///< [rows]
    const float* value;       ///< [columns]
    float* out;               ///< [columns]
};

/// One step of a state that is read before it takes the key, with a bonus for the key's own value.
struct BonusStep {
    float* state;
    int64_t rows, columns;
    const float *decay, *key, *query, *bonus; ///< [rows]; bonus: what the key counts for its own step
    const float* value;                       ///< [columns]
    float* out;                               ///< [columns]
};

/// Some steps of complex channels, whose numbers are pairs in memory and apart in the state.
struct LruSteps {
    const float* u;
    float* states;
    int64_t stride, steps, channels; ///< floats from a step to the next
    const float *re, *im, *gamma;    ///< of λ, and γ: whole vectors, with whatever behind the last channel
    float *x, *y;                    ///< the state's parts, as these
};

constexpr double firstExponent = -1e38; ///< of RWKV-4, before there is any

/// Some steps of RWKV-4's channels.
struct Rwkv4Steps {
    const float *k, *v;
    float* o;
    int64_t stride, steps, channels;
    float *w, *u;           ///< whole vectors, with whatever behind the last channel; not changed
    float *p, *q, *largest; ///< the state, as these
};

/// The inner loops of recurrences, compiled once per instruction set.
struct RecurrenceKernels {
    int64_t lanes; ///< floats a vector
    /// S = factor · S + key valueᵀ, out = Sᵀ query.
    void (*stepState)(const StateStep& step);
    /// out = (S + bonus valueᵀ)ᵀ query, S = diag(decay) S + key valueᵀ.
    void (*stepBonus)(const BonusStep& step);
    /// x = λ x + γ u.
    void (*stepLru)(const LruSteps& steps);
    void (*stepRwkv4)(const Rwkv4Steps& steps);
};

/// The best for this machine, or what useTarget() chose.
const RecurrenceKernels& recurrenceKernels();

} // namespace warplight::cpu
