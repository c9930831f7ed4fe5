// SPDX-License-Identifier: GPL-3.0-or-later
// f16 and bf16 in vectors of f32, to the bit as gpu/number/half.h has them. Included once per target, see
// hwy/foreach_target.h.
#if defined(WARPLIGHT_COLLECTIVES_HALF_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_COLLECTIVES_HALF_INL_H
#undef WARPLIGHT_COLLECTIVES_HALF_INL_H
#else
#define WARPLIGHT_COLLECTIVES_HALF_INL_H
#endif

#include "hwy/highway.h"

#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace warplight::collectives::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using WordTag = hn::Rebind<int32_t, FloatTag>;
using HalfTag = hn::Rebind<uint16_t, FloatTag>;
using Floats = hn::Vec<FloatTag>;
using Words = hn::Vec<WordTag>;

inline Words load16(const uint16_t* from) { return hn::PromoteTo(WordTag(), hn::LoadU(HalfTag(), from)); }
inline void store16(Words words, uint16_t* to) { hn::StoreU(hn::DemoteTo(HalfTag(), words), HalfTag(), to); }
inline Words word(int32_t value) { return hn::Set(WordTag(), value); }

/// Two vectors at once: the bf16 at even and at odd places.
struct FloatPair {
    Floats even, odd;
};

/// A word holds two of them. Taken apart where they lie, since moving them to words of their own would cost more than
/// adding them.
struct Bf16 {
    using Value = uint16_t;
    using Tag = FloatTag;
    using PairTag = hn::Rebind<uint32_t, FloatTag>;
    using Pairs = hn::Vec<PairTag>;
    static constexpr size_t perLane = 2;

    static FloatPair load(const uint16_t* from) {
        const Pairs pairs = loadPairs(from);
        return {hn::BitCast(FloatTag(), hn::ShiftLeft<16>(pairs)), hn::BitCast(FloatTag(), hn::And(pairs, high()))};
    }
    static void store(FloatPair values, uint16_t* to) {
        const Pairs pairs = hn::Or(hn::ShiftRight<16>(rounded(values.even)), hn::And(rounded(values.odd), high()));
        storePairs(pairs, to);
    }

  private:
#if HWY_TARGET == HWY_SCALAR // has no vectors of two
    static Pairs loadPairs(const uint16_t* from) {
        uint32_t pair = 0;
        std::memcpy(&pair, from, sizeof(pair));
        return hn::Set(PairTag(), pair);
    }
    static void storePairs(Pairs pairs, uint16_t* to) { std::memcpy(to, &pairs.raw, sizeof(pairs.raw)); }
#else
    using HalfTag = hn::Repartition<uint16_t, PairTag>;
    static Pairs loadPairs(const uint16_t* from) { return hn::BitCast(PairTag(), hn::LoadU(HalfTag(), from)); }
    static void storePairs(Pairs pairs, uint16_t* to) { hn::StoreU(hn::BitCast(HalfTag(), pairs), HalfTag(), to); }
#endif
    static Pairs high() { return hn::Set(PairTag(), 0xffff0000u); }
    /// Its upper half is the bf16.
    static Pairs rounded(Floats values) {
        const Pairs bits = hn::BitCast(PairTag(), values);
        const Pairs odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(PairTag(), 1));
        const Pairs nearest = hn::Add(bits, hn::Add(odd, hn::Set(PairTag(), 0x7fff)));
        const Pairs quiet = hn::Or(bits, hn::Set(PairTag(), 0x400000));
        return hn::IfThenElse(hn::RebindMask(PairTag(), hn::IsNaN(values)), quiet, nearest);
    }
};

struct F16 {
    using Value = uint16_t;
    using Tag = FloatTag;
    static constexpr size_t perLane = 1;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 // have instructions for it, F16C
    using Native = hn::Rebind<hwy::float16_t, FloatTag>;
    static Floats load(const uint16_t* from) {
        return hn::PromoteTo(FloatTag(), hn::LoadU(Native(), reinterpret_cast<const hwy::float16_t*>(from)));
    }
    static void store(Floats values, uint16_t* to) {
        hn::StoreU(hn::DemoteTo(Native(), values), Native(), reinterpret_cast<hwy::float16_t*>(to));
    }
#else // Highway's own way without F16C does not round to nearest
    static Floats load(const uint16_t* from) {
        const Words half = load16(from);
        const Words size = hn::And(half, word(0x7fff)), shifted = hn::ShiftLeft<13>(size);
        const Words sign = hn::ShiftLeft<16>(hn::And(half, word(0x8000)));
        const Words normal = hn::Add(shifted, word(112 << 23)); // 127 - 15
        const Words infinite = hn::Add(shifted, word(224 << 23));
        // 2^-14 (1 + fraction) - 2^-14: units of 2^-24, exactly
        const Words subnormal =
            hn::BitCast(WordTag(), hn::Sub(hn::BitCast(FloatTag(), hn::Add(shifted, word(113 << 23))),
                                           hn::Set(FloatTag(), 0x1p-14f)));
        Words bits = hn::IfThenElse(hn::Gt(word(0x400), size), subnormal, normal);
        bits = hn::IfThenElse(hn::Gt(size, word(0x7bff)), infinite, bits);
        return hn::BitCast(FloatTag(), hn::Or(bits, sign));
    }
    static void store(Floats values, uint16_t* to) {
        const Words bits = hn::BitCast(WordTag(), values), size = hn::And(bits, word(0x7fffffff));
        const Words sign = hn::And(hn::ShiftRight<16>(bits), word(0x8000));
        const Words odd = hn::And(hn::ShiftRight<13>(size), word(1));
        const Words rounded = hn::ShiftRight<13>(hn::Add(size, hn::Add(odd, word(0xfff))));
        const Words normal = hn::Min(hn::Sub(rounded, word(112 << 10)), word(0x7c00));
        // A half plus the size: its last bit is worth 2^-24, so the sum is rounded as a subnormal has to be.
        const Floats shifted = hn::Add(hn::BitCast(FloatTag(), size), hn::Set(FloatTag(), 0.5f));
        const Words subnormal = hn::Sub(hn::BitCast(WordTag(), shifted), word(0x3f000000));
        const Words nan = hn::Or(word(0x7e00), hn::And(hn::ShiftRight<13>(size), word(0x3ff)));
        Words half = hn::IfThenElse(hn::Gt(word(0x38800000), size), subnormal, normal); // below 2^-14
        half = hn::IfThenElse(hn::Gt(size, word(0x7f800000)), nan, half);
        store16(hn::Or(half, sign), to);
    }
#endif
};

/// f32 and f64 as they are.
template <class T>
struct Plain {
    using Value = T;
    using Tag = hn::ScalableTag<T>;
    static constexpr size_t perLane = 1;
    static hn::Vec<Tag> load(const T* from) { return hn::LoadU(Tag(), from); }
    static void store(hn::Vec<Tag> values, T* to) { hn::StoreU(values, Tag(), to); }
};

} // namespace warplight::collectives::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
