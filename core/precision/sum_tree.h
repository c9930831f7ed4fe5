// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/precision/sums.h"

#include <cstddef>
#include <span>
#include <vector>

namespace warplight::precision {

/// A term, or what an operation has made of others, with its place in a drawing.
struct SumNode {
    double value = 0;
    double lost = 0;          ///< what rounding has taken from it: exact result − value
    std::vector<size_t> from; ///< the nodes that it was made of; a term: none
    double column = 0;        ///< terms stand in row 0, side by side in the columns 0, 1, …
    int row = 0;
    int step = 0; ///< at the earliest when it can be made; 0: it is a term
};

/// A short sum or dot product (at most 32 terms), operation by operation: as sumInOrder() adds it up, except that there
/// are no additions of an empty part.
struct SumTree {
    std::vector<SumNode> nodes; ///< terms first (of a dot product: exact products)
    size_t sum = 0;             ///< the node that is the whole sum
    int rows = 1, steps = 0;
};
SumTree sumTree(std::span<const float> a, std::span<const float> b, const HowToSum& how);

} // namespace warplight::precision
