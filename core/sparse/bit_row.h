// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

namespace warplight::sparse {

constexpr int64_t wordBits = 64;
constexpr int64_t wordsOf(int64_t bits) { return (bits + wordBits - 1) / wordBits; }
/// The lowest `count` bits of a word, 0 to 64 of them.
constexpr uint64_t lowBits(int64_t count) { return count >= wordBits ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

/// The keys that one query sees, a bit each. What lies outside 0 … size - 1 is left out by whatever sets it.
class BitRow {
  public:
    BitRow(uint64_t* first, int64_t bits) : words(first), count(bits) {}

    int64_t size() const { return count; }
    std::span<uint64_t> span() const { return {words, static_cast<size_t>(wordsOf(count))}; }
    bool test(int64_t i) const { return words[i / wordBits] >> (i % wordBits) & 1; }

    void set(int64_t i) const {
        if (i >= 0 && i < count)
            words[i / wordBits] |= uint64_t{1} << (i % wordBits);
    }
    void setRange(int64_t begin, int64_t end) const {
        begin = std::max<int64_t>(begin, 0);
        end = std::min(end, count);
        while (begin < end) {
            const int64_t at = begin % wordBits, many = std::min(wordBits - at, end - begin);
            words[begin / wordBits] |= lowBits(many) << at;
            begin += many;
        }
    }
    /// first, first + step, … ; `first` at least 0.
    void setEvery(int64_t first, int64_t step) const {
        for (int64_t i = first; i < count; i += step)
            words[i / wordBits] |= uint64_t{1} << (i % wordBits);
    }
    void clear() const { std::fill_n(words, wordsOf(count), uint64_t{0}); }
    void clearFrom(int64_t begin) const {
        if (begin >= count)
            return;
        begin = std::max<int64_t>(begin, 0);
        words[begin / wordBits] &= lowBits(begin % wordBits);
        std::fill(words + begin / wordBits + 1, words + wordsOf(count), uint64_t{0});
    }
    int64_t ones() const {
        int64_t sum = 0;
        for (const uint64_t word : span())
            sum += std::popcount(word);
        return sum;
    }

  private:
    uint64_t* words;
    int64_t count;
};

} // namespace warplight::sparse
