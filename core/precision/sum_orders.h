// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/precision/arithmetic.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

/// The orders of SumOrder, with numbers of arithmetic A: each takes terms one by one (input() is what it makes of a
/// stored number) and can say at any time what the sum is so far, so that every length comes from one pass.
namespace warplight::precision::orders {

/// Terms and the steps that orders are made of, with numbers of A.
template <class A, bool products>
struct Terms {
    using Number = typename A::Number;
    static Number input(float x) { return A::rounded(static_cast<Number>(x)); }
    static Number addTo(Number sum, Number a, Number b) {
        if constexpr (products)
            return A::multiplyAdd(a, b, sum);
        else
            return A::add(sum, a);
    }
    static Number leaf(Number a, Number b) {
        if constexpr (products)
            return A::multiply(a, b);
        else
            return a;
    }
};

// Of each order: add(a, b) one more term; value(), the sum so far; operations() that made it.

template <class A, bool products>
struct Serial : Terms<A, products> {
    using typename Terms<A, products>::Number;
    explicit Serial(int64_t /*chunk*/) {}
    void add(Number a, Number b) {
        sum = this->addTo(sum, a, b);
        ++count;
    }
    Number value() const { return sum; }
    int64_t operations() const { return count; }

  private:
    Number sum = 0;
    int64_t count = 0;
};

template <class A, bool products>
struct Chunked : Terms<A, products> {
    using typename Terms<A, products>::Number;
    explicit Chunked(int64_t chunk) : size(chunk) {}
    void add(Number a, Number b) {
        part = this->addTo(part, a, b);
        ++count;
        if (++filled < size)
            return;
        sum = A::add(sum, part);
        ++count;
        part = 0;
        filled = 0;
    }
    Number value() const { return filled > 0 ? A::add(sum, part) : sum; }
    int64_t operations() const { return count + (filled > 0 ? 1 : 0); }

  private:
    int64_t size, filled = 0, count = 0;
    Number part = 0, sum = 0;
};

template <class A, bool products>
struct Pairwise : Terms<A, products> {
    using typename Terms<A, products>::Number;
    explicit Pairwise(int64_t /*chunk*/) {}
    void add(Number a, Number b) {
        Number sum = this->leaf(a, b);
        size_t level = 0;
        for (uint64_t full = terms; full & 1; full >>= 1)
            sum = A::add(trees[level++], sum);
        trees[level] = sum;
        ++terms;
    }
    Number value() const {
        uint64_t full = terms;
        Number sum = 0;
        for (; full != 0; full &= full - 1) {
            const auto tree = static_cast<size_t>(std::countr_zero(full));
            sum = full == terms ? trees[tree] : A::add(trees[tree], sum);
        }
        return sum;
    }
    int64_t operations() const {
        const auto count = static_cast<int64_t>(terms);
        return (products ? count : 0) + std::max<int64_t>(count - 1, 0);
    }

  private:
    uint64_t terms = 0;
    std::array<Number, 64> trees{}; ///< [i]: the sum of 2^i terms, where the bit of `terms` is set
};

template <class A, bool products>
struct WarpTree : Terms<A, products> {
    using typename Terms<A, products>::Number;
    explicit WarpTree(int64_t /*chunk*/) {}
    void add(Number a, Number b) {
        size_t lane = static_cast<size_t>(count++) % 32;
        levels[0][lane] = this->addTo(levels[0][lane], a, b);
        for (size_t level = 0, half = 16; half > 0; ++level, half /= 2) { // only what this lane's sum goes into
            lane %= half;
            levels[level + 1][lane] = A::add(levels[level][lane], levels[level][lane + half]);
        }
    }
    Number value() const { return levels[5][0]; }
    int64_t operations() const { return count + 31; }

  private:
    std::array<std::array<Number, 32>, 6> levels{};
    int64_t count = 0;
};

template <class A, bool products>
struct Kahan : Terms<A, products> {
    using typename Terms<A, products>::Number;
    explicit Kahan(int64_t /*chunk*/) {}
    void add(Number a, Number b) {
        const Number term = this->addTo(-lost, a, b), more = A::add(sum, term);
        lost = A::add(A::add(more, -sum), -term);
        sum = more;
        ++count;
    }
    Number value() const { return sum; }
    int64_t operations() const { return 4 * count; }

  private:
    Number sum = 0, lost = 0;
    int64_t count = 0;
};

template <class A, bool products>
struct TensorCore {
    using Number = float;
    explicit TensorCore(int64_t /*chunk*/) {}
    static float input(float x) { return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xffffe000u); }
    void add(float a, float b) {
        if constexpr (products)
            sum = std::fma(a, b, sum);
        else
            sum += a; // a · 1
        if (++count % 16 == 0)
            sum = rounded();
    }
    float value() const { return rounded(); }
    int64_t operations() const { return count; }

  private:
    float rounded() const { return static_cast<float>(A::rounded(static_cast<typename A::Number>(sum))); }
    float sum = 0;
    int64_t count = 0;
};

} // namespace warplight::precision::orders
