// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/model/model.h"
#include "core/model/precision_recipe.h"

#include <cstdint>
#include <optional>

namespace warplight::model {

/// What rounding did to gradients: those of layers' outputs and of weights, or of fp8 those that products take.
struct GradientCounts {
    int64_t numbers = 0;
    int64_t zeroed = 0;   ///< became 0 by rounding
    int64_t zeros = 0;    ///< are 0 behind it, also because those that they were made of are
    int64_t infinite = 0; ///< became infinite by rounding

    GradientCounts& operator+=(const GradientCounts& more) {
        numbers += more.numbers;
        zeroed += more.zeroed;
        zeros += more.zeros;
        infinite += more.infinite;
        return *this;
    }
    double share(int64_t of) const { return numbers ? static_cast<double>(of) / static_cast<double>(numbers) : 0; }
};

/// Rounds what a recipe rounds, where a network makes it; all in place. Numbers stay f32 that the format has too.
class Rounder {
  public:
    explicit Rounder(Precision precision) : traits(traitsOf(precision)) {}

    /// Of a layer's output, and where that goes into a product.
    void output(float* x, int64_t count, const cpu::RunOptions& options) const;
    void operand(float* x, int64_t count, const cpu::RunOptions& options) const;
    /// Of the gradient of a layer's output, or of a weight.
    void gradient(float* x, int64_t count, const cpu::RunOptions& options);
    /// A gradient as a product takes it: itself, or rounded in `room`, which may be x.
    const float* gradientOperand(const float* x, float* room, int64_t count, const cpu::RunOptions& options);

    /// The weights that layers see of those that are kept.
    void weights(const ParameterLayout& layout, const ParameterBuffer& kept, ParameterBuffer& seen,
                 const cpu::RunOptions& options) const;
    /// Those of all parameters.
    void gradients(const ParameterLayout& layout, ParameterBuffer& all, const cpu::RunOptions& options);

    float lossFactor = 1;  ///< what the gradient of the loss is multiplied by before anything is rounded
    GradientCounts counts; ///< of all gradients since the owner set it to zeros

  private:
    const PrecisionTraits& traits;
};

/// y = x as a format keeps it, to nearest, ties to even; beyond the range infinite. y may be x.
void round(number::Format format, const float* x, float* y, int64_t count, const cpu::RunOptions& options);

/// y = x as an 8-bit format keeps x · s, divided by s again, where s makes the largest |x| the largest number of the
/// format (current scaling); all in f32. Infinity and NaN become NaN. y may be x.
void roundScaled(number::Format format, const float* x, float* y, int64_t count, const cpu::RunOptions& options);

/// Rounds to bf16, up with the probability of what is cut off. The random numbers of weight i follow from seed, step
/// and i (Philox4x32-10); `first` is the place of w[0], a multiple of 8.
void roundStochastically(uint64_t seed, int64_t step, int64_t first, float* w, int64_t count);

} // namespace warplight::model
