// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/model/precision_recipe.h"

#include <cstdint>
#include <string>

namespace warplight::model {

enum class Schedule { Constant, Cosine };

/// How a model is trained: with the weights it begins with and the text, all that decides about every bit of a run.
struct Recipe {
    int64_t steps = 1000;
    int64_t batch = 8;  ///< sequences a step
    int64_t length = 0; ///< tokens of a sequence; 0: the model's context
    uint64_t seed = 1;  ///< of the first weights, and of which sequences a step sees
    double rate = 1e-3; ///< the highest learning rate
    Schedule schedule = Schedule::Cosine;
    int64_t warmup = 100;                             ///< steps in which the rate rises in a line
    double lastRate = 0.1;                            ///< what the cosine ends with, as a share of `rate`
    double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8; ///< AdamW's
    double weightDecay = 0.1;                         ///< of matrices and embeddings
    double clip = 1;                                  ///< largest norm of all gradients together; 0: no bound
    Precision precision = Precision::F32;
    double lossScale = 0;          ///< what the loss is multiplied by, at first; 0: what the precision begins with
    int64_t growthInterval = 2000; ///< clean steps after which a dynamic scale doubles
    /// The loss is divided by two to the power of this before the backward pass, and gradients of weights are
    /// multiplied by it behind it, in f32: a small model stands for deep ones, whose gradients are smaller.
    int64_t gradientShift = 0;

    bool operator==(const Recipe&) const = default;
};

/// The learning rate of a step, the first of which is 0.
double rateAt(const Recipe& recipe, int64_t step);

/// Throws InputError "`where`: batch is 0, expected ..." for settings out of range.
void check(const Recipe& recipe, const std::string& where);

/// As JSON, and back: throws InputError naming `where` and the field.
std::string recipeText(const Recipe& recipe);
Recipe recipeFrom(const std::string& text, const std::string& where);

} // namespace warplight::model
