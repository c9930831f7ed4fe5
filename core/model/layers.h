// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>

namespace warplight::model {

using cpu::RunOptions;

/// Rows of features, [rows, width], row-major and contiguous, are what layers take and give; all in f32.

/// y = x · weight: x [rows, in], weight [in, out], y [rows, out].
struct Product {
    int64_t rows, in, out;
};
void multiply(const Product& sizes, const float* x, const float* weight, float* y, const RunOptions& options);
/// dWeight = xᵀ · dy and, unless null, dx = dy · weightᵀ.
void multiplyBackward(const Product& sizes, const float* x, const float* weight, const float* dy, float* dWeight,
                      float* dx, const RunOptions& options);
/// The same product for a few rows, for which packing the weight would cost more than multiplying by it.
void multiplyFew(const Product& sizes, const float* x, const float* weight, float* y, const RunOptions& options);

/// y[r, i] += bias[i].
void addBias(int64_t rows, int64_t width, const float* bias, float* y, const RunOptions& options);
/// y[r, i] = x[r, i] + bias[i] + residual[r, i]; y may be x or residual.
void addResidual(int64_t rows, int64_t width, const float* x, const float* bias, const float* residual, float* y,
                 const RunOptions& options);
/// dBias[i] = Σ_r dy[r, i].
void biasBackward(int64_t rows, int64_t width, const float* dy, float* dBias, const RunOptions& options);

/// Layer normalisation (Ba, Kiros and Hinton 2016): of each row, (x - mean) / sqrt(variance + epsilon) · weight + bias.
struct Normalisation {
    int64_t rows, width;
    float epsilon;
    const float *weight, *bias; ///< [width]
    float *means, *scales;      ///< [rows]: what the backward pass needs again
};
void normalise(const Normalisation& layer, const float* x, float* y, const RunOptions& options);
/// dx += the gradient with respect to x; dWeight and dBias are set.
void normaliseBackward(const Normalisation& layer, const float* x, const float* dy, float* dx, float* dWeight,
                       float* dBias, const RunOptions& options);

void gelu(int64_t count, const float* x, float* y, const RunOptions& options);
/// dy becomes dy · gelu'(x).
void geluBackward(int64_t count, const float* x, float* dy, const RunOptions& options);

/// y[b, t] = tokenTable[tokens[b, t]] + positionTable[firstPosition + t], width numbers each.
struct Embedding {
    int64_t batch, length, width;
    std::span<const int32_t> tokens; ///< [batch, length], each a row of the table of tokens
    int64_t firstPosition = 0;
};
void embed(const Embedding& e, const float* tokenTable, const float* positionTable, float* y,
           const RunOptions& options);
/// dTokens += and dPositions [positions, width] =, 0 for those behind the sequence.
void embedBackward(const Embedding& e, const float* dy, float* dTokens, float* dPositions, int64_t positions,
                   const RunOptions& options);

/// Mean over the rows of -log softmax(logits)[target]. `rowLosses` [rows] is scratch.
double crossEntropy(int64_t rows, int64_t classes, const float* logits, std::span<const int32_t> targets,
                    double* rowLosses, const RunOptions& options);
/// The same, and logits become their gradient, (softmax - one at the target) / rows.
double crossEntropyBackward(int64_t rows, int64_t classes, float* logits, std::span<const int32_t> targets,
                            double* rowLosses, const RunOptions& options);

} // namespace warplight::model
