// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/model/config.h"
#include "core/model/parameters.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace warplight::model {

/// A GPT-2, or one of gated attention units: its sizes and its weights, which begin as zeros.
struct Model {
    explicit Model(const Config& sizes) : config(sizes), layout(sizes), weights(layout) {}

    const Config config;
    const ParameterLayout layout;
    ParameterBuffer weights;
};

/// The parameters of one block in some buffer: weights, or where their gradients go.
template <class Number>
struct Block {
    Number *norm1, *norm1Bias, *attention, *attentionBias, *out, *outBias, *norm2, *norm2Bias, *up, *upBias, *down,
        *downBias;
};

/// As pointers into a buffer of the layout; Buffer is ParameterBuffer, const or not.
template <class Buffer>
auto blockOf(const ParameterLayout& layout, Buffer& buffer, int64_t layer) {
    const size_t first = 2 + 12 * static_cast<size_t>(layer);
    const auto at = [&](size_t i) { return buffer[layout.places()[first + i]].data(); };
    return Block<std::remove_pointer_t<decltype(at(0))>>{at(0), at(1), at(2), at(3), at(4),  at(5),
                                                         at(6), at(7), at(8), at(9), at(10), at(11)};
}

/// The parameters of one gated attention unit likewise.
template <class Number>
struct GatedUnit {
    Number *norm, *normBias, *u, *v, *z, *gamma, *beta, *out;
};

template <class Buffer>
auto unitOf(const ParameterLayout& layout, Buffer& buffer, int64_t layer) {
    const size_t first = 2 + 8 * static_cast<size_t>(layer);
    const auto at = [&](size_t i) { return buffer[layout.places()[first + i]].data(); };
    return GatedUnit<std::remove_pointer_t<decltype(at(0))>>{at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)};
}

/// The parameters outside of blocks.
template <class Number>
struct Ends {
    Number *tokens, *positions, *norm, *normBias;
};

template <class Buffer>
auto endsOf(const ParameterLayout& layout, Buffer& buffer) {
    const auto& places = layout.places();
    const auto at = [&](size_t i) { return buffer[places[i]].data(); };
    return Ends<std::remove_pointer_t<decltype(at(0))>>{at(0), at(1), at(places.size() - 2), at(places.size() - 1)};
}

} // namespace warplight::model
