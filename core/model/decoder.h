// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/cpu/workspace.h"
#include "core/model/model.h"

#include <cstdint>
#include <span>

namespace warplight::model {

/// A sequence that grows: keys and values of all tokens so far are kept, so that a token costs one pass of one row.
class Decoder {
  public:
    /// The model is not copied.
    explicit Decoder(const Model& model, const cpu::RunOptions& options = {});

    /// Logits [vocabulary] of what follows the last of these tokens, which are put behind those so far. Throws
    /// InputError for none, one that is no token of the model, or more than its context takes; Cancelled, after which
    /// the sequence is as it was.
    std::span<const float> append(std::span<const int32_t> tokens);

    int64_t length() const { return tokensSoFar; }
    void clear() { tokensSoFar = 0; }

  private:
    void pass(std::span<const int32_t> tokens, int64_t position);
    void attend(const Block<const float>& w, int64_t layer, int64_t rows, int64_t position);
    void product(int64_t rows, int64_t in, int64_t out, const float* x, const float* weight, float* y) const;

    const Model& model;
    const Config& config;
    cpu::RunOptions options;
    int64_t tokensSoFar = 0;
    cpu::Workspace workspace;
    float *keys, *values;          ///< [layers, heads, context, headFeatures]
    float *stream, *normal, *wide; ///< rows: the residual stream, what of it is normalised, and products
    float *q, *attended;           ///< [heads, rows, headFeatures]
    float *means, *scales, *logits;
};

/// What a decoder holds, in bytes.
int64_t decoderBytes(const Config& config);

} // namespace warplight::model
