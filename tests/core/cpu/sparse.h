// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/block_sparse.h"
#include "tests/core/cpu/problem.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <utility>
#include <vector>

namespace warplight::test {

/// Whether a block of scores is visible, by its place.
struct Pattern {
    const char* name;
    bool (*visible)(int64_t head, int64_t row, int64_t column);
};
inline constexpr Pattern patterns[] = {
    {"all", [](int64_t, int64_t, int64_t) { return true; }},
    {"none", [](int64_t, int64_t, int64_t) { return false; }},
    {"band", [](int64_t, int64_t row, int64_t column) { return std::abs(row - column) <= 1; }},
    {"checkerboard", [](int64_t, int64_t row, int64_t column) { return (row + column) % 2 == 1; }},
    {"first and own", [](int64_t, int64_t row, int64_t column) { return column == 0 || column == row; }},
    {"by chance", [](int64_t head, int64_t row,
                     int64_t column) { return (head * 131 + row * 71 + column * 37) * 2654435761 / 128 % 2 == 1; }},
};

/// A block-sparse problem that owns its tensors and its mask.
struct OwnedSparse {
    OwnedProblem attention;
    int64_t blockSize, maskHeads;
    std::vector<uint8_t> mask;

    OwnedSparse(OwnedProblem problem, int64_t size, bool eachHead, const Pattern& pattern)
        : attention(std::move(problem)), blockSize(size), maskHeads(eachHead ? attention.shape.queryHeads : 1) {
        for (int64_t head = 0; head < maskHeads; ++head)
            for (int64_t row = 0; row < rows(); ++row)
                for (int64_t column = 0; column < columns(); ++column) // any number but 0 is visible
                    mask.push_back(
                        static_cast<uint8_t>(pattern.visible(head, row, column) * (1 + (row + column) % 255)));
    }
    int64_t rows() const { return (attention.shape.queryLen + blockSize - 1) / blockSize; }
    int64_t columns() const { return (attention.shape.keyLen + blockSize - 1) / blockSize; }
    bool visible(int64_t head, int64_t query, int64_t key) const {
        const int64_t maskHead = maskHeads == 1 ? 0 : head % attention.shape.queryHeads;
        return mask[static_cast<size_t>((maskHead * rows() + query / blockSize) * columns() + key / blockSize)] != 0;
    }
    Truth truth() const {
        return Truth(attention, [this](int64_t head, int64_t i, int64_t j) { return visible(head, i, j); });
    }

    cpu::BlockSparseProblem problem() {
        attention.o.assign(attention.outputs() + 2 * OwnedProblem::guard, OwnedProblem::sentinel);
        attention.lse.assign(attention.rows() + 2 * OwnedProblem::guard, OwnedProblem::sentinel);
        cpu::BlockSparseProblem p{attention.shape, {blockSize, maskHeads, mask.data()}};
        p.attention.q = attention.q.data();
        p.attention.k = attention.k.data();
        p.attention.v = attention.v.data();
        p.attention.o = attention.output();
        p.attention.lse = attention.logSumExp();
        return p;
    }
    cpu::RunCost run(cpu::BlockSparseRung rung, const cpu::RunOptions& options = {}) {
        return cpu::blockSparseForward(rung, problem(), options);
    }
};

} // namespace warplight::test
