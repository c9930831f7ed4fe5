// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/workspace.h"
#include "core/model/config.h"
#include "core/model/parameters.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::model {

/// What a block leaves of a forward pass; rows are [batch · length], heads [batch, heads, length, headFeatures].
struct BlockActivations {
    float* norm1;                               ///< rows of features
    float *q, *k, *v, *o;                       ///< heads
    float* lse;                                 ///< [batch, heads, length]
    float* merged;                              ///< o as rows of features
    float* middle;                              ///< rows of features: the residual stream after attention
    float* norm2;                               ///< rows of features
    float *up, *activated;                      ///< rows of `hidden`: before GELU and after
    float* out;                                 ///< rows of features: the residual stream after the block
    float *means1, *scales1, *means2, *scales2; ///< [rows]
};

/// What a gated attention unit leaves; e features are as many as `hidden`.
struct UnitActivations {
    float* norm;                 ///< rows of features
    float *u, *v;                ///< rows of e, before silu
    float* z;                    ///< rows of `shared`, before silu
    float *gate, *values, *base; ///< the same behind it: U, V, Z
    float *mixed, *gated;        ///< rows of e: A V, and U ∘ A V
    float* out;                  ///< rows of features: the residual stream after the unit
    float *means, *scales;       ///< [rows]
};

/// The buffers of forward passes over `batch` sequences of `length` tokens. Where nothing is learned, all blocks share
/// theirs.
class Activations {
  public:
    Activations(const Config& config, int64_t batch, int64_t length, bool learns);

    int64_t rows() const { return batch * length; }
    /// By name, in the order in which a forward pass makes them: "embedding", "h.0.ln_1", "h.0.attn.q" ... "logits".
    const std::vector<NamedView>& views() const { return named; }
    int64_t bytes() const { return workspace.bytes(); }

    const int64_t batch, length;
    float* embedding;                     ///< rows of features
    std::vector<BlockActivations> blocks; ///< of a GPT-2
    std::vector<UnitActivations> units;   ///< of a model of gated attention units
    /// The residual stream behind a layer.
    float* out(int64_t layer) const {
        const auto at = static_cast<size_t>(layer);
        return units.empty() ? blocks[at].out : units[at].out;
    }
    /// How many of views() belong to a layer.
    static constexpr int64_t namesOfLayer() { return 10; }
    float* norm;                ///< rows of features
    float *means, *scales;      ///< [rows]
    float* logits;              ///< rows of the vocabulary
    float* wide;                ///< scratch: rows of three times the features, or of `hidden`
    double* losses;             ///< scratch: [rows]
    float *stream, *branch;     ///< rows of features: gradients of the residual stream, and of what joins it
    float *dq, *dk, *dv, *dOut; ///< heads: their gradients
    float *dU, *dV, *dZ;        ///< of units: rows of e, of e, of `shared`

  private:
    void takeBlocks(const Config& config, bool learns);
    void takeUnits(const Config& config, bool learns);
    void nameBlock(const Config& config, int64_t layer);
    void nameUnit(const Config& config, int64_t layer);
    void name(std::string text, std::vector<int64_t> shape, const float* values);

    struct Label {
        std::string name;
        std::vector<int64_t> shape;
    };
    cpu::Workspace workspace;
    std::vector<Label> labels;
    std::vector<NamedView> named;
};

/// What Activations will hold, in bytes; INT64_MAX when the size overflows.
int64_t activationBytes(const Config& config, int64_t batch, int64_t length, bool learns);

} // namespace warplight::model
