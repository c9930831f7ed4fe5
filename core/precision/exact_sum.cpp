// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/exact_sum.h"

#include <bit>
#include <cmath>
#include <cstddef>

namespace warplight::precision {
namespace {

constexpr int digitBits = 32;
constexpr uint64_t digitMask = 0xffffffff;

} // namespace

void ExactSum::add(double x) {
    if (x == 0)
        return;
    const uint64_t bits = std::bit_cast<uint64_t>(x);
    const uint64_t fraction = (bits & ((uint64_t(1) << 52) - 1)) | uint64_t(1) << 52;
    const int place = static_cast<int>(bits >> 52 & 0x7ff) - 1075 - lowest; // of the fraction's last bit
    const auto digit = static_cast<size_t>(place / digitBits);
    const int shift = place % digitBits;
    const uint64_t low = (fraction & digitMask) << shift, high = (fraction >> digitBits) << shift;
    const auto first = static_cast<int64_t>(low & digitMask),
               second = static_cast<int64_t>((low >> digitBits) + (high & digitMask)),
               third = static_cast<int64_t>(high >> digitBits);
    const int64_t sign = x < 0 ? -1 : 1;
    digits[digit] += sign * first;
    digits[digit + 1] += sign * second;
    digits[digit + 2] += sign * third;
}

double ExactSum::value() const {
    auto all = digits;
    const auto carry = [&] {
        for (size_t i = 0; i + 1 < all.size(); ++i) {
            all[i + 1] += all[i] >> digitBits; // rounds down: what stays is positive
            all[i] &= static_cast<int64_t>(digitMask);
        }
    };
    carry();
    const bool negative = all.back() < 0;
    if (negative) {
        for (int64_t& digit : all)
            digit = -digit;
        carry();
    }
    size_t top = all.size() - 1;
    while (top > 0 && all[top] == 0)
        --top;
    if (all[top] == 0)
        return 0;
    // The 64 highest bits, the last of them set where anything lies below: rounding these is rounding all.
    const auto at = [&](size_t below) { return below > top ? 0 : static_cast<uint64_t>(all[top - below]); };
    const int unused = std::countl_zero(at(0)) - digitBits;
    uint64_t highest = at(0) << digitBits | at(1);
    bool more = false;
    if (unused > 0) {
        highest = highest << unused | at(2) >> (digitBits - unused);
        more = (at(2) << unused & digitMask) != 0;
    } else {
        more = at(2) != 0;
    }
    for (size_t below = 3; below <= top; ++below)
        more = more || at(below) != 0;
    const double size = std::ldexp(static_cast<double>(highest | (more ? 1 : 0)),
                                   lowest + digitBits * (static_cast<int>(top) - 1) - unused);
    return negative ? -size : size;
}

double ExactSum::differenceFrom(double sum) const {
    ExactSum difference;
    for (size_t i = 0; i < digits.size(); ++i)
        difference.digits[i] = -digits[i];
    difference.add(sum);
    return difference.value();
}

} // namespace warplight::precision
