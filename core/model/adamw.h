// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/model/parameters.h"
#include "core/model/recipe.h"

#include <cstdint>
#include <vector>

namespace warplight::model {

/// AdamW (Loshchilov and Hutter 2019, algorithm 2, with the rate as a factor of the decay) behind clipping by the norm
/// of all gradients together (Pascanu, Mikolov and Bengio 2013, algorithm 1). Sums are cut where the layout cuts them:
/// the same bits for any number of threads.
class AdamW {
  public:
    explicit AdamW(const ParameterLayout& layout);

    /// sqrt(Σ g²) over all parameters.
    double gradientNorm(const ParameterBuffer& gradients, const cpu::RunOptions& options);

    /// The step of that number (the first is 0), given the norm of its gradients.
    void step(const Recipe& recipe, int64_t number, double norm, const ParameterBuffer& gradients,
              ParameterBuffer& weights, const cpu::RunOptions& options);

    ParameterBuffer first, second; ///< running means of the gradients and of their squares

  private:
    struct Piece {
        int64_t begin, count;
        bool decays;
    };
    std::vector<Piece> pieces;
    std::vector<double> squares; ///< of each piece
};

} // namespace warplight::model
