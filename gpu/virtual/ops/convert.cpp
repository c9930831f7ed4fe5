// SPDX-License-Identifier: GPL-3.0-or-later
// Conversions between all number formats (PTX ISA, 9.7.9.21).
#include "gpu/number/small_float.h"
#include "gpu/virtual/ops/families.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/convert.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

/// An integer of a register: 8-bit ones live in 16-bit rows.
template <class T>
using RowOf = std::conditional_t<sizeof(T) == 1, std::conditional_t<std::is_signed_v<T>, int16_t, uint16_t>, T>;

template <class From, class To>
struct IntToInt {
    static HWY_INLINE RowOf<To> apply(RowOf<From> x) { return static_cast<To>(static_cast<From>(x)); }
};
template <class From, class To>
struct IntToIntSat {
    static HWY_INLINE RowOf<To> apply(RowOf<From> row) {
        const auto x = static_cast<From>(row);
        constexpr To low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
        if constexpr (std::is_signed_v<From>) {
            const auto wide = static_cast<int64_t>(x);
            if constexpr (std::is_signed_v<To>) {
                if (wide < static_cast<int64_t>(low))
                    return low;
            } else if (wide < 0) {
                return 0;
            }
            if (wide > 0 && static_cast<uint64_t>(wide) > static_cast<uint64_t>(high))
                return high;
        } else if (static_cast<uint64_t>(x) > static_cast<uint64_t>(high)) {
            return high;
        }
        return static_cast<To>(x);
    }
};

struct ToEven {
    static HWY_INLINE float round(float x) { return __builtin_nearbyintf(x); }
    static HWY_INLINE double round(double x) { return __builtin_nearbyint(x); }
    static constexpr const char* name = "rni";
    static constexpr bool awayFromZero = false; ///< of what is smaller than 1
};
struct ToZero {
    static HWY_INLINE float round(float x) { return __builtin_truncf(x); }
    static HWY_INLINE double round(double x) { return __builtin_trunc(x); }
    static constexpr const char* name = "rzi";
    static constexpr bool awayFromZero = false; ///< of what is smaller than 1
};
struct Down {
    static HWY_INLINE float round(float x) { return __builtin_floorf(x); }
    static HWY_INLINE double round(double x) { return __builtin_floor(x); }
    static constexpr const char* name = "rmi";
    static constexpr bool awayFromZero = true; ///< of what is smaller than 1
};
struct Up {
    static HWY_INLINE float round(float x) { return __builtin_ceilf(x); }
    static HWY_INLINE double round(double x) { return __builtin_ceil(x); }
    static constexpr const char* name = "rpi";
    static constexpr bool awayFromZero = true; ///< of what is smaller than 1
};

template <class From, class To, class Mode, bool ftz>
struct FloatToInt {
    static HWY_INLINE RowOf<To> apply(From value) {
        const From x = Mode::round(ftz ? flush(value) : value);
        constexpr bool small = sizeof(From) == 4 && sizeof(To) < 8;
        constexpr To low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
        constexpr To notANumber = small ? To(0) : static_cast<To>(uint64_t(1) << (sizeof(To) * 8 - 1));
        constexpr From below = static_cast<From>(low); // a power of two, or 0: exact
        const From above =
            static_cast<From>(2) * static_cast<From>(uint64_t(1) << (std::numeric_limits<To>::digits - 1));
        const bool fits = x >= below && x < above;
        const To whole = static_cast<To>(fits ? x : From(0));
        return fits ? whole : x < below ? low : x >= above ? high : notANumber;
    }
};
template <class From, class To>
struct IntToFloat {
    static HWY_INLINE To apply(RowOf<From> x) { return static_cast<To>(static_cast<From>(x)); }
};
template <class Mode>
struct Integral {
    template <class T>
    static HWY_INLINE T apply(T x) {
        return Mode::round(x);
    }
};
struct Same {
    template <class T>
    static HWY_INLINE T apply(T x) {
        return x;
    }
};

/// f64 to f32, cut off, with the last bit set if anything was: rounding that once more to fewer bits is exact.
HWY_INLINE float roundToOdd(double x) {
    const auto single = static_cast<float>(x);
    const auto back = static_cast<double>(single);
    if (back == x || x != x)
        return single;
    if (std::fabs(back) == std::numeric_limits<double>::infinity())
        return std::copysign(std::numeric_limits<float>::max(), single);
    uint32_t bits = bitsOf(single);
    if (std::fabs(back) > std::fabs(x))
        --bits;
    return floatOf(bits | 1);
}

struct DoubleToFloat {
    static HWY_INLINE float apply(double x) { return static_cast<float>(x); }
};
struct FloatToDouble {
    static HWY_INLINE double apply(float x) { return x; }
};
struct HalfToFloat {
    static HWY_INLINE float apply(uint16_t x) { return halfToFloat(x); }
};
struct HalfToDouble {
    static HWY_INLINE double apply(uint16_t x) { return halfToFloat(x); }
};
struct BfloatToFloat {
    static HWY_INLINE float apply(uint16_t x) { return bfloatToFloat(x); }
};
struct BfloatToDouble {
    static HWY_INLINE double apply(uint16_t x) { return bfloatToFloat(x); }
};
struct FloatToHalf {
    static HWY_INLINE uint16_t apply(float x) { return floatToHalf(x); }
};
struct FloatToBfloat {
    static HWY_INLINE uint16_t apply(float x) { return floatToBfloat(x); }
};
struct DoubleToHalf {
    static HWY_INLINE uint16_t apply(double x) { return floatToHalf(roundToOdd(x)); }
};
struct DoubleToBfloat {
    static HWY_INLINE uint16_t apply(double x) { return floatToBfloat(roundToOdd(x)); }
};
/// Towards zero: cut the fraction before rounding can see it; what is too large becomes the largest number.
struct FloatToHalfZero {
    static HWY_INLINE uint16_t apply(float x) {
        const float size = std::fabs(x);
        if (size >= 65504.0f && size < std::numeric_limits<float>::infinity())
            return static_cast<uint16_t>((bitsOf(x) >> 16 & 0x8000) | 0x7bff);
        if (size < 6.103515625e-5f)
            return static_cast<uint16_t>((bitsOf(x) >> 16 & 0x8000) | static_cast<uint16_t>(size * 16777216.0f));
        return floatToHalf(x != x ? x : floatOf(bitsOf(x) & 0xffffe000u));
    }
};
struct FloatToBfloatZero {
    static HWY_INLINE uint16_t apply(float x) {
        return x != x ? uint16_t(0x7fff) : static_cast<uint16_t>(bitsOf(x) >> 16);
    }
};
template <class Narrow>
struct ReluNarrow {
    static HWY_INLINE uint16_t apply(float x) { return Narrow::apply(x < 0 || x == 0 ? 0.0f : x); }
};
/// The first operand goes to the upper half.
template <class Narrow>
struct TwoToPair {
    static HWY_INLINE uint32_t apply(float high, float low) {
        return static_cast<uint32_t>(Narrow::apply(high)) << 16 | Narrow::apply(low);
    }
};
/// 10 bits of fraction; ties away from zero (rna) or to even (rn).
struct ToTf32Away {
    static HWY_INLINE uint32_t apply(float x) {
        return x - x != 0 ? bitsOf(x) & (x != x ? 0x7fffffffu : ~0u) : (bitsOf(x) + 0x1000u) & 0xffffe000u;
    }
};
struct ToTf32Even {
    static HWY_INLINE uint32_t apply(float x) {
        return x - x != 0 ? bitsOf(x) : (bitsOf(x) + 0xfffu + (bitsOf(x) >> 13 & 1)) & 0xffffe000u;
    }
};

template <class Format>
struct PairToFloat8 {
    static HWY_INLINE uint16_t apply(float high, float low) {
        return static_cast<uint16_t>(number::toFloat8<Format>(high) << 8 | number::toFloat8<Format>(low));
    }
};
template <class Format>
struct HalvesToFloat8 {
    static HWY_INLINE uint16_t apply(uint32_t x) {
        return PairToFloat8<Format>::apply(halfToFloat(static_cast<uint16_t>(x >> 16)),
                                           halfToFloat(static_cast<uint16_t>(x)));
    }
};
template <class Format>
struct Float8ToHalves {
    static HWY_INLINE uint32_t apply(uint16_t x) {
        const uint16_t high = floatToHalf(number::fromFloat8<Format>(static_cast<uint8_t>(x >> 8)));
        return static_cast<uint32_t>(high) << 16 | floatToHalf(number::fromFloat8<Format>(static_cast<uint8_t>(x)));
    }
};

template <class T>
std::string intName() {
    return (std::is_signed_v<T> ? "s" : "u") + std::to_string(sizeof(T) * 8);
}
template <class T>
ptx::Type intType() {
    return {std::is_signed_v<T> ? 's' : 'u', static_cast<int>(sizeof(T) * 8)};
}

// Conversions that give the same bits share a handler: each costs a loop for every instruction set.

/// Narrowing cuts bits off whatever their sign; a row does not know the sign of what is as wide as it.
template <class From, class To>
using CutFrom = std::conditional_t<sizeof(To) <= sizeof(From), std::make_unsigned_t<From>, From>;
template <class To>
using CutTo = std::conditional_t<sizeof(To) == 1, To, std::make_unsigned_t<To>>;

template <class From, class To>
void addIntToInt(HandlerTable& t) {
    using F = CutFrom<From, To>;
    using T = CutTo<To>;
    const std::string names = intName<To>() + "." + intName<From>();
    addAs<IntToInt<F, T>, RowOf<T>, RowOf<F>>(t, "cvt." + names, OpClass::Convert, 0, intType<To>(), {intType<From>()});
    constexpr bool fits =
        std::in_range<To>(std::numeric_limits<From>::min()) && std::in_range<To>(std::numeric_limits<From>::max());
    using Operation = std::conditional_t<fits, IntToInt<F, T>, IntToIntSat<From, To>>;
    using Result = std::conditional_t<fits, T, To>;
    using Operand = std::conditional_t<fits, F, From>;
    addAs<Operation, RowOf<Result>, RowOf<Operand>>(t, "cvt.sat." + names, OpClass::Convert, 0, intType<To>(),
                                                    {intType<From>()});
}
template <class From, class To, class Mode>
void addFloatToIntMode(HandlerTable& t, const std::string& from) {
    const ptx::Type type{'f', sizeof(From) * 8};
    const std::string end = intName<To>() + "." + from;
    addAs<FloatToInt<From, To, Mode, false>, RowOf<To>, From>(t, std::string("cvt.") + Mode::name + "." + end,
                                                              OpClass::Convert, 0, intType<To>(), {type});
    // f64 has no subnormals to flush, and where these round to 0 it does not show.
    constexpr bool flushShows = sizeof(From) == 4 && Mode::awayFromZero;
    addAs<FloatToInt<From, To, Mode, flushShows>, RowOf<To>, From>(t, std::string("cvt.") + Mode::name + ".ftz." + end,
                                                                   OpClass::Convert, 0, intType<To>(), {type});
}
template <class From, class To>
void addFloatToInt(HandlerTable& t, const std::string& from) {
    addFloatToIntMode<From, To, ToEven>(t, from);
    addFloatToIntMode<From, To, ToZero>(t, from);
    addFloatToIntMode<From, To, Down>(t, from);
    addFloatToIntMode<From, To, Up>(t, from);
}
template <class I>
void addInt(HandlerTable& t) {
    addIntToInt<I, uint8_t>(t);
    addIntToInt<I, int8_t>(t);
    addIntToInt<I, uint16_t>(t);
    addIntToInt<I, int16_t>(t);
    addIntToInt<I, uint32_t>(t);
    addIntToInt<I, int32_t>(t);
    addIntToInt<I, uint64_t>(t);
    addIntToInt<I, int64_t>(t);
    addFloatToInt<float, I>(t, "f32");
    addFloatToInt<double, I>(t, "f64");
    addAs<IntToFloat<I, float>, float, RowOf<I>>(t, "cvt.f32." + intName<I>(), OpClass::Convert, 0, {'f', 32},
                                                 {intType<I>()});
    addAs<IntToFloat<I, double>, double, RowOf<I>>(t, "cvt.f64." + intName<I>(), OpClass::Convert, 0, {'f', 64},
                                                   {intType<I>()});
}
template <class Mode>
void addIntegral(HandlerTable& t) {
    const std::string start = std::string("cvt.") + Mode::name;
    add<Canonical<Integral<Mode>>, float, float>(t, start + ".f32.f32", OpClass::Convert);
    add<Canonical<Ftz<Integral<Mode>>>, float, float>(t, start + ".ftz.f32.f32", OpClass::Convert);
    add<Sat<Integral<Mode>>, float, float>(t, start + ".sat.f32.f32", OpClass::Convert);
    add<Sat<Ftz<Integral<Mode>>>, float, float>(t, start + ".ftz.sat.f32.f32", OpClass::Convert);
    add<Integral<Mode>, double, double>(t, start + ".f64.f64", OpClass::Convert);
}

template <class Format>
void addFloat8(HandlerTable& t, const std::string& name) {
    const ptx::Type pair{'b', 16}, halves{'f', 32, 2}, single{'f', 32};
    addAs<PairToFloat8<Format>, uint16_t, float, float>(t, "cvt.satfinite." + name + ".f32", OpClass::Convert, 0, pair,
                                                        {single, single});
    addAs<HalvesToFloat8<Format>, uint16_t, uint32_t>(t, "cvt.satfinite." + name + ".f16x2", OpClass::Convert, 0, pair,
                                                      {halves});
    addAs<Float8ToHalves<Format>, uint32_t, uint16_t>(t, "cvt.f16x2." + name, OpClass::Convert, 0, halves, {pair});
}

void addConversionOperations(HandlerTable& t) {
    addInt<uint8_t>(t);
    addInt<int8_t>(t);
    addInt<uint16_t>(t);
    addInt<int16_t>(t);
    addInt<uint32_t>(t);
    addInt<int32_t>(t);
    addInt<uint64_t>(t);
    addInt<int64_t>(t);
    addIntegral<ToEven>(t);
    addIntegral<ToZero>(t);
    addIntegral<Down>(t);
    addIntegral<Up>(t);
    const OpClass kind = OpClass::Convert;
    add<Canonical<Same>, float, float>(t, "cvt.f32.f32", kind);
    add<Canonical<Ftz<Same>>, float, float>(t, "cvt.ftz.f32.f32", kind);
    add<Sat<Same>, float, float>(t, "cvt.sat.f32.f32", kind);
    add<Sat<Ftz<Same>>, float, float>(t, "cvt.ftz.sat.f32.f32", kind);
    add<Same, double, double>(t, "cvt.f64.f64", kind);
    add<Sat<Same>, double, double>(t, "cvt.sat.f64.f64", kind);
    add<Canonical<DoubleToFloat>, float, double>(t, "cvt.f32.f64", kind);
    add<Canonical<Ftz<DoubleToFloat>>, float, double>(t, "cvt.ftz.f32.f64", kind);
    add<Sat<DoubleToFloat>, float, double>(t, "cvt.sat.f32.f64", kind);
    add<FloatToDouble, double, float>(t, "cvt.f64.f32", kind);
    add<Ftz<FloatToDouble>, double, float>(t, "cvt.ftz.f64.f32", kind);
    const ptx::Type half{'f', 16}, bfloat{'h', 16}, f32{'f', 32}, f64{'f', 64};
    for (const char* ftz : {"", "ftz."}) { // no 16-bit number is subnormal in f32
        addAs<Canonical<HalfToFloat>, float, uint16_t>(t, std::string("cvt.") + ftz + "f32.f16", kind, 0, f32, {half});
        addAs<FloatToHalf, uint16_t, float>(t, std::string("cvt.") + ftz + "f16.f32", kind, 0, half, {f32});
        addAs<FloatToHalfZero, uint16_t, float>(t, std::string("cvt.rz.") + ftz + "f16.f32", kind, 0, half, {f32});
    }
    addAs<Sat<HalfToFloat>, float, uint16_t>(t, "cvt.sat.f32.f16", kind, 0, f32, {half});
    addAs<Canonical<BfloatToFloat>, float, uint16_t>(t, "cvt.f32.bf16", kind, 0, f32, {bfloat});
    addAs<HalfToDouble, double, uint16_t>(t, "cvt.f64.f16", kind, 0, f64, {half});
    addAs<BfloatToDouble, double, uint16_t>(t, "cvt.f64.bf16", kind, 0, f64, {bfloat});
    addAs<FloatToBfloat, uint16_t, float>(t, "cvt.bf16.f32", kind, 0, bfloat, {f32});
    addAs<FloatToBfloatZero, uint16_t, float>(t, "cvt.rz.bf16.f32", kind, 0, bfloat, {f32});
    addAs<ReluNarrow<FloatToHalf>, uint16_t, float>(t, "cvt.relu.f16.f32", kind, 0, half, {f32});
    addAs<ReluNarrow<FloatToBfloat>, uint16_t, float>(t, "cvt.relu.bf16.f32", kind, 0, bfloat, {f32});
    addAs<DoubleToHalf, uint16_t, double>(t, "cvt.f16.f64", kind, 0, half, {f64});
    addAs<DoubleToBfloat, uint16_t, double>(t, "cvt.bf16.f64", kind, 0, bfloat, {f64});
    const ptx::Type halves{'f', 32, 2}, bfloats{'h', 32, 2};
    addAs<TwoToPair<FloatToHalf>, uint32_t, float, float>(t, "cvt.f16x2.f32", kind, 0, halves, {f32, f32});
    addAs<TwoToPair<FloatToHalfZero>, uint32_t, float, float>(t, "cvt.rz.f16x2.f32", kind, 0, halves, {f32, f32});
    addAs<TwoToPair<ReluNarrow<FloatToHalf>>, uint32_t, float, float>(t, "cvt.relu.f16x2.f32", kind, 0, halves,
                                                                      {f32, f32});
    addAs<TwoToPair<FloatToBfloat>, uint32_t, float, float>(t, "cvt.bf16x2.f32", kind, 0, bfloats, {f32, f32});
    addAs<TwoToPair<FloatToBfloatZero>, uint32_t, float, float>(t, "cvt.rz.bf16x2.f32", kind, 0, bfloats, {f32, f32});
    addAs<TwoToPair<ReluNarrow<FloatToBfloat>>, uint32_t, float, float>(t, "cvt.relu.bf16x2.f32", kind, 0, bfloats,
                                                                        {f32, f32});
    addAs<ToTf32Away, uint32_t, float>(t, "cvt.rna.tf32.f32", kind, 0, {'b', 32}, {f32});
    addAs<ToTf32Even, uint32_t, float>(t, "cvt.tf32.f32", kind, 0, {'b', 32}, {f32});
    addFloat8<number::E4M3>(t, "e4m3x2");
    addFloat8<number::E5M2>(t, "e5m2x2");
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(addConversionOperations);
void addConversions(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addConversionOperations)(table); }
} // namespace warplight::vgpu
#endif
