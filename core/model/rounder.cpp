// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/rounder.h"

#include "core/cpu/cast/kernels.h"
#include "core/model/spread.h"
#include "core/tensor/philox.h"
#include "gpu/number/float_format.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>

namespace warplight::model {
namespace {

constexpr int64_t pieceLength = 1 << 15, worthAPiece = 32; ///< rounding a number takes as long as so many products

cpu::RunOptions threadsFor(int64_t count, const cpu::RunOptions& options) {
    return worth(options, count * worthAPiece);
}

/// How many are not 0, and how many are infinite or NaN.
struct Kinds {
    int64_t nonzero = 0, infinite = 0;
};
Kinds kindsOf(const float* x, int64_t count) {
    int32_t nonzero = 0, infinite = 0; // of a piece
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t size = std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu;
        nonzero += size != 0;
        infinite += size >= 0x7f800000u;
    }
    return {nonzero, infinite};
}

template <class Round>
void counted(const float* x, float* y, int64_t count, const cpu::RunOptions& options, GradientCounts& counts,
             const Round& round) {
    std::atomic<int64_t> zeroed{0}, zeros{0}, infinite{0};
    inPieces(count, pieceLength, threadsFor(count, options), [&](int64_t begin, int64_t end) {
        const Kinds before = kindsOf(x + begin, end - begin);
        round(begin, end);
        const Kinds after = kindsOf(y + begin, end - begin);
        zeroed += before.nonzero - after.nonzero;
        zeros += end - begin - after.nonzero;
        infinite += after.infinite - before.infinite;
    });
    counts.numbers += count;
    counts.zeroed += zeroed;
    counts.zeros += zeros;
    counts.infinite += infinite;
}

float largestOf(const float* x, int64_t count) {
    uint32_t largest = 0; // of bits without the sign, which are ordered as sizes are
    for (int64_t i = 0; i < count; ++i)
        largest = std::max(largest, std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
    return std::bit_cast<float>(largest);
}

/// The factors before and behind an 8-bit format; unset for zeros alone.
struct Factors {
    float up, down;
};
std::optional<Factors> factorsOf(number::Format format, const float* x, int64_t count) {
    const float largest = largestOf(x, count);
    if (largest == 0)
        return {};
    const auto limit = static_cast<float>(number::floatFormat(number::name(format)).largest());
    const float up = limit / largest;
    return std::isfinite(up) ? Factors{up, largest / limit} : Factors{1, 1};
}

void castScaled(const Factors& f, const cpu::SmallFloat& format, const float* x, float* y, int64_t count) {
    cpu::castKernels().cast(x, y, count, f.up, format);
    for (int64_t i = 0; i < count; ++i)
        y[i] *= f.down;
}

} // namespace

void round(number::Format to, const float* x, float* y, int64_t count, const cpu::RunOptions& options) {
    const cpu::SmallFloat format = cpu::smallFloat(to);
    inPieces(count, pieceLength, threadsFor(count, options), [&](int64_t begin, int64_t end) {
        cpu::castKernels().cast(x + begin, y + begin, end - begin, 1, format);
    });
}

void roundScaled(number::Format to, const float* x, float* y, int64_t count, const cpu::RunOptions& options) {
    const cpu::SmallFloat format = cpu::smallFloat(to);
    const auto factors = factorsOf(to, x, count);
    inPieces(count, pieceLength, threadsFor(count, options), [&](int64_t begin, int64_t end) {
        castScaled(factors.value_or(Factors{1, 1}), format, x + begin, y + begin, end - begin);
    });
}

void Rounder::output(float* x, int64_t count, const cpu::RunOptions& options) const {
    if (traits.stored)
        round(*traits.stored, x, x, count, options);
}

void Rounder::operand(float* x, int64_t count, const cpu::RunOptions& options) const {
    if (traits.operands)
        roundScaled(*traits.operands, x, x, count, options);
}

void Rounder::gradient(float* x, int64_t count, const cpu::RunOptions& options) {
    if (!traits.stored)
        return;
    const cpu::SmallFloat format = cpu::smallFloat(*traits.stored);
    counted(x, x, count, options, counts,
            [&](int64_t begin, int64_t end) { cpu::castKernels().cast(x + begin, x + begin, end - begin, 1, format); });
}

const float* Rounder::gradientOperand(const float* x, float* room, int64_t count, const cpu::RunOptions& options) {
    if (!traits.gradientOperands)
        return x;
    const cpu::SmallFloat format = cpu::smallFloat(*traits.gradientOperands);
    const auto factors = factorsOf(*traits.gradientOperands, x, count);
    counted(x, room, count, options, counts, [&](int64_t begin, int64_t end) {
        castScaled(factors.value_or(Factors{1, 1}), format, x + begin, room + begin, end - begin);
    });
    return room;
}

void Rounder::weights(const ParameterLayout& layout, const ParameterBuffer& kept, ParameterBuffer& seen,
                      const cpu::RunOptions& options) const {
    for (const ParameterPlace& place : layout.places()) {
        const float* from = kept[place].data();
        float* to = seen[place].data();
        if (traits.stored)
            round(*traits.stored, from, to, place.count, options);
        else if (traits.operands && isProductWeight(place))
            roundScaled(*traits.operands, from, to, place.count, options);
        else
            std::copy_n(from, place.count, to);
    }
}

void Rounder::gradients(const ParameterLayout& layout, ParameterBuffer& all, const cpu::RunOptions& options) {
    for (const ParameterPlace& place : layout.places())
        gradient(all[place].data(), place.count, options);
}

void roundStochastically(uint64_t seed, int64_t step, int64_t first, float* w, int64_t count) {
    constexpr int64_t ofACall = 8; // halves of four words
    constexpr uint32_t stream = 0x57C0;
    const auto number = static_cast<uint64_t>(step);
    for (int64_t i = 0; i < count; i += ofACall) {
        const auto words = tensor::philox({static_cast<uint32_t>((first + i) / ofACall), static_cast<uint32_t>(number),
                                           static_cast<uint32_t>(number >> 32), stream},
                                          {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
        for (int64_t k = 0; k < std::min(ofACall, count - i); ++k) {
            const uint32_t word = words[static_cast<size_t>(k / 2)], bits = std::bit_cast<uint32_t>(w[i + k]);
            const uint32_t random = k % 2 ? word >> 16 : word & 0xffffu;
            if ((bits & 0x7f800000u) != 0x7f800000u)
                w[i + k] = std::bit_cast<float>((bits + random) & 0xffff0000u);
        }
    }
}

} // namespace warplight::model
