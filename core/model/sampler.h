// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace warplight::model {

/// How the next token is taken from logits.
struct Sampling {
    bool greedy = false;    ///< the largest; of equals the first
    double temperature = 1; ///< above 0: logits are divided by it
    int64_t most = 0;       ///< only so many of the largest logits are chosen from; 0: all
    uint64_t seed = 1;
};

/// Chooses tokens. The number of a token and the seed decide about its random number (Philox4x32-10).
class Sampler {
  public:
    /// Throws InputError for a temperature that is no number above 0, or a negative `most`.
    explicit Sampler(const Sampling& sampling);
    int32_t next(std::span<const float> logits);

  private:
    Sampling sampling;
    uint64_t chosen = 0;
    std::vector<int32_t> order;
    std::vector<double> weights;
};

} // namespace warplight::model
