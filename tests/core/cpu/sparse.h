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

/// Whether a pair in a block that is visible in part is seen.
struct PairPattern {
    const char* name;
    bool (*seen)(int64_t head, int64_t query, int64_t key);
};
inline constexpr PairPattern pairPatterns[] = {
    {"a third", [](int64_t head, int64_t i, int64_t j) { return (head * 7 + i * 5 + j * 11) % 3 == 0; }},
    {"diagonals", [](int64_t, int64_t i, int64_t j) { return (i - j) % 8 == 0; }},
    {"few columns", [](int64_t, int64_t, int64_t j) { return j % 37 == 36; }},
    {"no pair", [](int64_t, int64_t, int64_t) { return false; }},
};

/// A block-sparse problem that owns its tensors and its mask.
struct OwnedSparse {
    OwnedProblem attention;
    int64_t blockSize, maskHeads;
    std::vector<uint8_t> mask;
    std::vector<int32_t> part; ///< empty: visible blocks are whole
    std::vector<uint64_t> bits;

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
        const auto at =
            static_cast<size_t>((head % maskHeads * rows() + query / blockSize) * columns() + key / blockSize);
        return mask[at] != 0 &&
               (part.empty() || part[at] < 0 ||
                (bits[wordOf(part[at], query % blockSize, key % blockSize)] >> (key % blockSize % 64) & 1) != 0);
    }
    /// Makes every visible block but each third one partial: `isSeen` says which pairs of it are seen.
    void hidePairs(bool (*isSeen)(int64_t head, int64_t query, int64_t key)) {
        part.assign(mask.size(), -1);
        int32_t next = 0;
        for (size_t at = 0; at < mask.size(); ++at) {
            if (!mask[at] || at % 3 == 2)
                continue;
            part[at] = next++;
            bits.resize(wordOf(next, 0, 0), 0);
            const auto place = static_cast<int64_t>(at);
            const int64_t head = place / columns() / rows(), row = place / columns() % rows() * blockSize,
                          column = place % columns() * blockSize;
            for (int64_t i = 0; i < blockSize; ++i)
                for (int64_t j = 0; j < blockSize; ++j) // bits behind the ends are set, too: nobody may look at them
                    if (isSeen(head, row + i, column + j))
                        bits[wordOf(part[at], i, j)] |= uint64_t{1} << (j % 64);
        }
    }
    Truth truth() const {
        return Truth(attention, [this](int64_t head, int64_t i, int64_t j) { return visible(head, i, j); });
    }

    cpu::BlockSparseProblem problem() {
        attention.o.assign(attention.outputs() + 2 * OwnedProblem::guard, OwnedProblem::sentinel);
        attention.lse.assign(attention.rows() + 2 * OwnedProblem::guard, OwnedProblem::sentinel);
        cpu::BlockSparseProblem p{
            attention.shape, {blockSize, maskHeads, mask.data(), part.empty() ? nullptr : part.data(), bits.data()}};
        p.attention.q = attention.q.data();
        p.attention.k = attention.k.data();
        p.attention.v = attention.v.data();
        p.attention.o = attention.output();
        p.attention.lse = attention.logSumExp();
        return p;
    }
    size_t wordOf(int64_t place, int64_t row, int64_t key) const {
        return static_cast<size_t>((place * blockSize + row) * ((blockSize + 63) / 64) + key / 64);
    }
    cpu::RunCost run(cpu::BlockSparseRung rung, const cpu::RunOptions& options = {}) {
        return cpu::blockSparseForward(rung, problem(), options);
    }
};

} // namespace warplight::test
