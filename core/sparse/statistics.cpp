// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/sparse/statistics.h"

#include "core/error.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace warplight::sparse {
namespace {

/// A square matrix of bits.
class BitMatrix {
  public:
    explicit BitMatrix(int64_t n) : size(n), words(wordsOf(n)), bits(static_cast<size_t>(n * words), 0) {}
    BitRow row(int64_t i) { return {bits.data() + i * words, size}; }
    const uint64_t* at(int64_t i) const { return bits.data() + i * words; }

    int64_t ones() const {
        int64_t sum = 0;
        for (const uint64_t word : bits)
            sum += std::popcount(word);
        return sum;
    }

    int64_t size, words;

  private:
    std::vector<uint64_t> bits;
};

/// Whether a row has every bit before `open`.
bool isFull(BitRow row, int64_t open) {
    const auto words = row.span();
    for (int64_t i = 0; i < open; i += wordBits)
        if (words[static_cast<size_t>(i / wordBits)] != lowBits(open - i))
            return false;
    return true;
}

/// One layer more: row i becomes the union of the rows that i sees, the last of them first, since these reach furthest
/// behind a causal mask.
BitMatrix afterALayer(const BitMatrix& seen, const BitMatrix& before, const Pattern& pattern,
                      const std::atomic<bool>* cancel) {
    BitMatrix after(seen.size);
    for (int64_t i = 0; i < seen.size; ++i) {
        checkCancelled(cancel);
        const BitRow row = after.row(i);
        const auto words = row.span();
        int64_t joined = 0;
        for (int64_t w = seen.words - 1; w >= 0; --w)
            for (uint64_t left = seen.at(i)[w]; left;) {
                const int bit = std::bit_width(left) - 1;
                left ^= uint64_t{1} << bit;
                const uint64_t* other = before.at(w * wordBits + bit);
                for (size_t x = 0; x < words.size(); ++x)
                    words[x] |= other[x];
                if (joined++ % 16 == 0 && isFull(row, pattern.seenAtMost(i))) {
                    left = 0;
                    w = 0;
                }
            }
    }
    return after;
}

void countReach(const Pattern& pattern, int64_t head, Statistics& found, const std::atomic<bool>* cancel) {
    BitMatrix seen(pattern.queries);
    for (int64_t i = 0; i < pattern.queries; ++i) {
        pattern.see(head, i, seen.row(i));
        seen.row(i).set(i);
    }
    BitMatrix reached = seen;
    found.reach.push_back({1, reached.ones()});
    for (int64_t layers = 2; layers <= reachLayers; ++layers) {
        if (found.reach.back().pairs < found.possible)
            reached = afterALayer(seen, reached, pattern, cancel);
        found.reach.push_back({layers, reached.ones()});
    }
}

/// Counts blocks while rows go by.
class BlockCounter {
  public:
    BlockCounter(const Pattern& p, int64_t size) : pattern(p) {
        found.block = size;
        found.all = (p.queries + size - 1) / size * ((p.keys + size - 1) / size);
        any.resize(static_cast<size_t>((p.keys + size - 1) / size));
        all.resize(any.size());
        begin();
    }

    void take(int64_t query, BitRow row) {
        const int64_t open = pattern.seenAtMost(query), size = found.block;
        for (size_t b = 0; b < any.size(); ++b) {
            const int64_t first = static_cast<int64_t>(b) * size; // sizes divide a word's: a block lies in one
            const uint64_t inBlock = lowBits(std::min(size, row.size() - first)),
                           seen = row.span()[static_cast<size_t>(first / wordBits)] >> (first % wordBits) & inBlock;
            any[b] = any[b] || seen != 0;
            all[b] = all[b] && seen == (lowBits(std::clamp<int64_t>(open - first, 0, size)) & inBlock);
        }
        if ((query + 1) % size == 0 || query + 1 == pattern.queries)
            end();
    }

    Occupancy found;

  private:
    void begin() {
        std::fill(any.begin(), any.end(), uint8_t{0});
        std::fill(all.begin(), all.end(), uint8_t{1});
    }
    void end() {
        for (size_t b = 0; b < any.size(); ++b) {
            found.visible += any[b];
            found.whole += any[b] && all[b];
        }
        begin();
    }

    const Pattern& pattern;
    std::vector<uint8_t> any, all; ///< of the blocks in the row of blocks that goes by
};

} // namespace

double Statistics::density() const {
    const double all = static_cast<double>(queries) * static_cast<double>(keys);
    return all > 0 ? static_cast<double>(pairs) / all : 0;
}

Statistics statisticsOf(const Pattern& pattern, int64_t head, const std::atomic<bool>* cancel) {
    Statistics found;
    found.queries = pattern.queries;
    found.keys = pattern.keys;
    std::vector<BlockCounter> counters;
    for (const int64_t size : occupancyBlocks)
        counters.emplace_back(pattern, size);
    std::vector<uint64_t> words(static_cast<size_t>(wordsOf(pattern.keys)));
    const BitRow row(words.data(), pattern.keys);
    for (int64_t i = 0; i < pattern.queries; ++i) {
        checkCancelled(cancel);
        row.clear();
        pattern.see(head, i, row);
        found.pairs += row.ones();
        found.possible += pattern.seenAtMost(i);
        for (BlockCounter& counter : counters)
            counter.take(i, row);
    }
    for (const BlockCounter& counter : counters)
        found.occupancy.push_back(counter.found);
    if (pattern.queries == pattern.keys && pattern.queries <= longestReach)
        countReach(pattern, head, found, cancel);
    return found;
}

std::vector<uint8_t> maskOf(const Pattern& pattern, int64_t head, const std::atomic<bool>* cancel) {
    std::vector<uint8_t> mask(static_cast<size_t>(pattern.queries * pattern.keys));
    std::vector<uint64_t> words(static_cast<size_t>(wordsOf(pattern.keys)));
    const BitRow row(words.data(), pattern.keys);
    for (int64_t i = 0; i < pattern.queries; ++i) {
        checkCancelled(cancel);
        row.clear();
        pattern.see(head, i, row);
        for (int64_t j = 0; j < pattern.keys; ++j)
            mask[static_cast<size_t>(i * pattern.keys + j)] = row.test(j);
    }
    return mask;
}

} // namespace warplight::sparse
