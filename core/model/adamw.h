// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/model/parameters.h"
#include "core/model/recipe.h"
#include "gpu/number/format.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace warplight::model {

/// What updated weights are stored as: f32, or rounded to nearest or stochastically.
struct WeightStore {
    std::optional<number::Format> format{};
    bool stochastic = false; ///< to bf16
    uint64_t seed = 0;
};

/// Weights that a step should have changed, and those of them that are stored as they were.
struct Updates {
    int64_t wanted = 0, lost = 0;
    Updates& operator+=(const Updates& more) {
        wanted += more.wanted;
        lost += more.lost;
        return *this;
    }
    double lostShare() const { return wanted ? static_cast<double>(lost) / static_cast<double>(wanted) : 0; }
};

/// AdamW (Loshchilov and Hutter 2019, algorithm 2, with the rate as a factor of the decay) behind clipping by the norm
/// of all gradients together (Pascanu, Mikolov and Bengio 2013, algorithm 1). Sums are cut where the layout cuts them:
/// the same bits for any number of threads.
class AdamW {
  public:
    explicit AdamW(const ParameterLayout& layout);

    /// sqrt(Σ g²) over all parameters.
    double gradientNorm(const ParameterBuffer& gradients, const cpu::RunOptions& options);

    /// The step of that number (the first is 0), given the norm of its gradients. Weights are computed in f32 and then
    /// stored.
    Updates step(const Recipe& recipe, int64_t number, double norm, const ParameterBuffer& gradients,
                 ParameterBuffer& weights, const cpu::RunOptions& options, const WeightStore& store = {});

    ParameterBuffer first, second; ///< running means of the gradients and of their squares
    int64_t skipped = 0;           ///< steps so far that made no update: the means do not know of them

  private:
    struct Piece {
        int64_t begin, count;
        bool decays;
    };
    std::vector<Piece> pieces;
    std::vector<double> squares; ///< of each piece
};

} // namespace warplight::model
