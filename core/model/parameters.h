// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/workspace.h"
#include "core/model/config.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::model {

/// A tensor by its name, not owned: row-major and contiguous.
struct NamedView {
    std::string_view name;
    std::span<const int64_t> shape;
    std::span<const float> values;
};

/// Where a parameter lies in a buffer that holds all of them.
struct ParameterPlace {
    std::string name; ///< Hugging Face's: "h.0.attn.c_attn.weight"
    std::vector<int64_t> shape;
    int64_t begin = 0, count = 0; ///< in floats; `begin` is a multiple of a cache line
    bool decays = false;          ///< AdamW's weight decay: matrices and embeddings, but no bias and no normalisation
};

/// The parameters of a GPT-2 one after the other, under Hugging Face's names and in its layout: the weight of a product
/// is [in, out]. Those of gated attention units have names of their own: "h.0.gau.u.weight".
class ParameterLayout {
  public:
    explicit ParameterLayout(const Config& config);

    const std::vector<ParameterPlace>& places() const { return all; }
    /// Floats that a buffer needs, with what aligns each parameter.
    int64_t size() const { return total; }
    /// Numbers that are learned.
    int64_t count() const;
    /// The place of a name, or null.
    const ParameterPlace* find(std::string_view name) const;

  private:
    void add(std::string name, std::vector<int64_t> shape);
    void addBlock(const Config& config, const std::string& prefix);
    void addUnit(const Config& config, const std::string& prefix);
    std::vector<ParameterPlace> all;
    int64_t total = 0;
};

/// One float for each of a layout's: weights, their gradients, or what an optimizer keeps of them. Begins as zeros.
class ParameterBuffer {
  public:
    explicit ParameterBuffer(const ParameterLayout& layout);

    std::span<float> all() { return {begin, static_cast<size_t>(size)}; }
    std::span<const float> all() const { return {begin, static_cast<size_t>(size)}; }
    std::span<float> operator[](const ParameterPlace& place) {
        return {begin + place.begin, static_cast<size_t>(place.count)};
    }
    std::span<const float> operator[](const ParameterPlace& place) const {
        return {begin + place.begin, static_cast<size_t>(place.count)};
    }

  private:
    cpu::Workspace workspace;
    float* begin;
    int64_t size;
};

/// Every parameter of a buffer, in the order of the layout; views of what the two hold.
std::vector<NamedView> namedViews(const ParameterLayout& layout, const ParameterBuffer& buffer);

/// GPT-2's beginning: N(0, 0.02²), the products that end a sublayer N(0, 0.02² / (2 · layers)), normalisation 1, biases
/// 0; a gated unit's gamma as `unitGamma` says, its beta 0. The same seed gives the same numbers everywhere.
void initialise(const Config& config, const ParameterLayout& layout, ParameterBuffer& weights, uint64_t seed);

} // namespace warplight::model
