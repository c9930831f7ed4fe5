// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/model/parameters.h"
#include "gpu/number/format.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::model {

/// In which formats a model is trained (Micikevicius et al. 2018, section 3, and what came after).
enum class Precision { F32, F16NoMaster, F16, F16Static, F16Dynamic, BF16, BF16Stochastic, FP8 };

/// What a recipe rounds, to nearest with ties to even unless it says otherwise. Whatever is computed from rounded
/// numbers is computed in f32: products have f32 sums, and softmax, normalisation, the residual additions, what
/// attention holds inside its kernel, the loss and the optimizer are f32 within.
struct PrecisionTraits {
    Precision precision;
    std::string_view id, title;
    /// What each layer's output is stored as, the residual stream and the logits among them, and the gradient of each
    /// of these; the gradients of weights; and the weights that layers see, biases and normalisation among them.
    std::optional<number::Format> stored{};
    /// What the two operands of each product in a block are rounded to, each tensor scaled so that its largest number
    /// is the format's; the product that makes the logits stays in f32.
    std::optional<number::Format> operands{};
    /// The same of the gradients that go into the products of a backward pass.
    std::optional<number::Format> gradientOperands{};
    bool master = false;     ///< weights are kept in f32, and layers see a rounded copy; else rounded weights alone
    bool stochastic = false; ///< an updated weight is rounded up with the probability of what is cut off
    double lossScale = 1;    ///< what the loss is multiplied by, at first
    bool dynamic = false;    ///< the scale is a LossScaler's, and steps whose gradients overflow are skipped
};

std::span<const PrecisionTraits> precisions();
const PrecisionTraits& traitsOf(Precision precision);
std::vector<std::string> precisionNames();
/// Throws InputError that lists the names.
Precision precisionByName(std::string_view name);

/// Bytes of a parameter that stay for the whole training, mean over all parameters, if each buffer were of the format
/// that its numbers are rounded to: the weights that layers see, f32 weights beside them, gradients, AdamW's two f32
/// means. (This program keeps rounded numbers as f32.) Of fp8, weights of a block's products have a copy of a byte, and
/// gradients of weights are f32.
struct ParameterBytes {
    double weights = 0, master = 0, gradients = 0, moments = 0;
    double all() const { return weights + master + gradients + moments; }
};
ParameterBytes parameterBytes(Precision precision, const ParameterLayout& layout);

/// Whether a parameter is the weight of a product in a block.
bool isProductWeight(const ParameterPlace& place);

} // namespace warplight::model
