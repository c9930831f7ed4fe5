// SPDX-License-Identifier: GPL-3.0-or-later
// How rows move between registers and memory. Compiled once for each instruction set (hence no include guard).
//
// A row that was put together from single lanes is written with whole vectors: the instruction that reads it next would
// otherwise wait until the processor has gathered the small stores.
#if defined(WARPLIGHT_VGPU_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_VGPU_ROWS_INL_H
#undef WARPLIGHT_VGPU_ROWS_INL_H
#else
#define WARPLIGHT_VGPU_ROWS_INL_H
#endif

#include "gpu/virtual/block.h"
#include "hwy/highway.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
HWY_INLINE T fetch(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
}

/// Whether the lanes' addresses lie to `first` as in the pattern. All lanes of a row, active or not, where the pattern
/// has all lanes.
template <class A>
HWY_INLINE bool fits(const Pattern& p, const A* address, A first) {
    using Unsigned = std::make_unsigned_t<A>;
    const auto* delta = [&] {
        if constexpr (sizeof(A) == 4)
            return p.delta32;
        else
            return reinterpret_cast<const uint64_t*>(p.delta);
    }();
    if (p.mask == fullMask) {
        const hn::ScalableTag<Unsigned> d;
        const auto base = hn::Set(d, first);
        auto different = hn::Zero(d);
        for (size_t i = 0; i < warpSize; i += hn::Lanes(d))
            different = hn::Or(different, hn::Xor(hn::Sub(hn::Load(d, address + i), base), hn::Load(d, delta + i)));
        return hn::AllTrue(d, hn::Eq(different, hn::Zero(d)));
    }
    Unsigned different = 0;
    for (int i = 0; i < warpSize; ++i)
        different |= ((address[i] - first) ^ delta[i]) & (0 - static_cast<Unsigned>(p.mask >> i & 1));
    return different == 0;
}

/// row[i] = what lies at from + offset[i], all lanes.
template <class Memory, class Register>
HWY_INLINE void gather(const std::byte* from, const int64_t* offset, Register* row) {
    constexpr size_t each = 16 / sizeof(Register);
    typedef Register Vector __attribute__((vector_size(16)));
    for (size_t i = 0; i < warpSize; i += each) {
        const auto vector = [&]<size_t... I>(std::index_sequence<I...>) {
            return Vector{static_cast<Register>(fetch<Memory>(from + offset[i + I]))...};
        };
        const Vector v = vector(std::make_index_sequence<each>());
        std::memcpy(row + i, &v, sizeof(v));
    }
}

template <class Register, class Memory>
HWY_INLINE void scatter(const Register* row, std::byte* to, const int64_t* offset) {
#pragma GCC unroll 8
    for (int i = 0; i < warpSize; ++i) {
        const auto value = static_cast<Memory>(row[i]);
        std::memcpy(to + offset[i], &value, sizeof(Memory));
    }
}

#if HWY_MAX_BYTES >= 32
/// Four vectors, in each half four lanes' four words, the other way round: four words' lanes.
template <class V>
HWY_INLINE void transposeWords(V& a, V& b, V& c, V& d) {
    const hn::FixedTag<uint32_t, 8> words;
    const hn::FixedTag<uint64_t, 4> pairs;
    const auto lowAB = hn::BitCast(pairs, hn::InterleaveLower(words, a, b)),
               highAB = hn::BitCast(pairs, hn::InterleaveUpper(words, a, b)),
               lowCD = hn::BitCast(pairs, hn::InterleaveLower(words, c, d)),
               highCD = hn::BitCast(pairs, hn::InterleaveUpper(words, c, d));
    a = hn::BitCast(words, hn::InterleaveLower(pairs, lowAB, lowCD));
    b = hn::BitCast(words, hn::InterleaveUpper(pairs, lowAB, lowCD));
    c = hn::BitCast(words, hn::InterleaveLower(pairs, highAB, highCD));
    d = hn::BitCast(words, hn::InterleaveUpper(pairs, highAB, highCD));
}

/// Four words a lane, into four rows.
HWY_INLINE void gatherQuads(const std::byte* from, const int64_t* offset, uint32_t* const row[4]) {
    const hn::FixedTag<uint32_t, 4> half;
    const hn::FixedTag<uint32_t, 8> words;
    const auto lanes = [&](int i) { // i and i + 4
        return hn::Combine(words, hn::LoadU(half, reinterpret_cast<const uint32_t*>(from + offset[i + 4])),
                           hn::LoadU(half, reinterpret_cast<const uint32_t*>(from + offset[i])));
    };
    for (int i = 0; i < warpSize; i += 8) {
        auto a = lanes(i), b = lanes(i + 1), c = lanes(i + 2), d = lanes(i + 3);
        transposeWords(a, b, c, d);
        hn::Store(a, words, row[0] + i);
        hn::Store(b, words, row[1] + i);
        hn::Store(c, words, row[2] + i);
        hn::Store(d, words, row[3] + i);
    }
}

/// And back, lane by lane, so that of two lanes with one address the higher wins.
HWY_INLINE void scatterQuads(const uint32_t* const row[4], std::byte* to, const int64_t* offset) {
    const hn::FixedTag<uint32_t, 4> half;
    const hn::FixedTag<uint32_t, 8> words;
    const auto at = [&](int i) { return reinterpret_cast<uint32_t*>(to + offset[i]); };
    for (int i = 0; i < warpSize; i += 8) {
        auto a = hn::Load(words, row[0] + i), b = hn::Load(words, row[1] + i), c = hn::Load(words, row[2] + i),
             d = hn::Load(words, row[3] + i);
        transposeWords(a, b, c, d);
        hn::StoreU(hn::LowerHalf(half, a), half, at(i));
        hn::StoreU(hn::LowerHalf(half, b), half, at(i + 1));
        hn::StoreU(hn::LowerHalf(half, c), half, at(i + 2));
        hn::StoreU(hn::LowerHalf(half, d), half, at(i + 3));
        hn::StoreU(hn::UpperHalf(half, a), half, at(i + 4));
        hn::StoreU(hn::UpperHalf(half, b), half, at(i + 5));
        hn::StoreU(hn::UpperHalf(half, c), half, at(i + 6));
        hn::StoreU(hn::UpperHalf(half, d), half, at(i + 7));
    }
}
#endif

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
