// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/gau/gau.h"
#include "core/cpu/run.h"

#include <cstdint>
#include <vector>

namespace warplight::labs::linear {

/// What one unit makes of a sequence that changes its topic now and then, and two dials: how far A has become the
/// identity (then a token sees itself alone: a gated feed-forward layer) and how far the gate has become 1 (then
/// nothing but attention is left).
struct GateStrips {
    static constexpr int64_t tokens = 96, features = 64, expanded = 128, shared = 32;

    std::vector<double> attention; ///< [tokens, tokens], blended
    std::vector<double> gate;      ///< [tokens, expanded], blended
    std::vector<double> mixed;     ///< [tokens, expanded]: A V
    std::vector<double> product;   ///< gate ∘ mixed
    std::vector<int64_t> topics;   ///< of each token
    double likeAttention = 0;      ///< cosine between the output and what attention alone gives (gate 1)
    double likeFeedForward = 0;    ///< and what the gated feed-forward layer gives (A = I)
    /// What all but one in a hundred numbers stay below, at whatever setting of the dials; of weights, at this one.
    double usualGate = 0, usualMixed = 0, usualProduct = 0, usualWeight = 0;
};
/// Mean of silu of N(0, 1): Z is positive more often than not.
inline constexpr double meanOfGates = 0.21;
/// The gamma with which a third of the keys, those that are like the query, get a weight of about 3 / keys each.
double viewSize(cpu::GauFunction function, double keys, double shared);

/// `toIdentity` and `toOne` from 0 to 1. `chunk`: of FLASH, 0 for FLASH-Quad.
GateStrips gateStrips(cpu::GauFunction function, bool causal, int64_t chunk, uint64_t seed, double toIdentity,
                      double toOne, const cpu::RunOptions& options);

/// Mean sum of the weights of a row of n keys, for queries and keys of independent N(0, 1) numbers: of `rows` rows, in
/// double precision.
double meanRowSum(cpu::GauFunction function, int64_t keys, int64_t shared, int64_t rows, uint64_t seed,
                  const cpu::RunOptions& options);

} // namespace warplight::labs::linear
