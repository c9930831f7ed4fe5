// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"
#include "core/model/parameters.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::precision {

/// The gradients of one step, multiplied by a loss scale: their exponents by layer, and what FP16 makes of them.
class GradientCensus {
  public:
    explicit GradientCensus(int scalePower) : power(scalePower) {}

    /// The gradient of a layer's output; in the order of the backward pass.
    void add(const model::NamedView& view);

    struct Losses {
        int64_t numbers = 0, flushed = 0, subnormal = 0, infinite = 0;
        double largest = 0; ///< size, scaled
        double percent(int64_t of) const;
    };
    Losses all() const;

    lab::Figure heatmap(int64_t step) const;   ///< "exponents"
    lab::Figure histogram(int64_t step) const; ///< "together"
    lab::Figure table(int64_t step) const;     ///< "layers"

  private:
    struct Layer {
        std::string name;
        std::vector<int64_t> exponents; ///< what lies beyond is in the first and the last
        Losses losses;
    };
    int power;
    std::vector<Layer> layers;
};

} // namespace warplight::labs::precision
