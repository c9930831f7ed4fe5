// SPDX-License-Identifier: GPL-3.0-or-later
// Integer arithmetic (PTX ISA, 9.7.1).
#include "gpu/virtual/ops/families.h"

#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/integer.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/integer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

struct Add {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return wrapAdd(a, b);
    }
};
struct AddSat {
    static HWY_INLINE int32_t apply(int32_t a, int32_t b) {
        const int64_t sum = static_cast<int64_t>(a) + b;
        return static_cast<int32_t>(sum < INT32_MIN ? INT32_MIN : sum > INT32_MAX ? INT32_MAX : sum);
    }
};
struct Sub {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return wrapAdd(a, negate(b));
    }
};
struct SubSat {
    static HWY_INLINE int32_t apply(int32_t a, int32_t b) {
        const int64_t sum = static_cast<int64_t>(a) - b;
        return static_cast<int32_t>(sum < INT32_MIN ? INT32_MIN : sum > INT32_MAX ? INT32_MAX : sum);
    }
};
struct MulLo {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return wrapMul(a, b);
    }
};
struct MulHi {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return static_cast<T>((static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b)) >> bitsIn<T>);
    }
};
struct MulWide {
    template <class T>
    static HWY_INLINE Wide<T> apply(T a, T b) {
        return static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b);
    }
};
struct MadLo {
    template <class T>
    static HWY_INLINE T apply(T a, T b, T c) {
        return wrapAdd(wrapMul(a, b), c);
    }
};
struct MadHi {
    template <class T>
    static HWY_INLINE T apply(T a, T b, T c) {
        return wrapAdd(MulHi::apply(a, b), c);
    }
};
struct MadWide {
    template <class T>
    static HWY_INLINE Wide<T> apply(T a, T b, Wide<T> c) {
        return wrapAdd(MulWide::apply(a, b), c);
    }
};
struct Mul24 {
    template <class T>
    static HWY_INLINE T low(T x) {
        return static_cast<T>(static_cast<T>(static_cast<uint32_t>(x) << 8) >> 8);
    }
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return wrapMul(low(a), low(b));
    }
    template <class T>
    static HWY_INLINE T apply(T a, T b, T c) {
        return wrapAdd(wrapMul(low(a), low(b)), c);
    }
};
struct Mul24Hi {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return static_cast<T>((static_cast<Wide<T>>(Mul24::low(a)) * static_cast<Wide<T>>(Mul24::low(b))) >> 16);
    }
};
/// By zero: all bits set, what NVIDIA's GPUs give (PTX leaves it unspecified).
struct Div {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        if (b == 0)
            return static_cast<T>(-1);
        if constexpr (std::is_signed_v<T>)
            if (b == -1)
                return negate(a);
        return static_cast<T>(a / b);
    }
};
struct Rem {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        if (b == 0)
            return a;
        if constexpr (std::is_signed_v<T>)
            if (b == -1)
                return 0;
        return static_cast<T>(a % b);
    }
};
struct Abs {
    template <class T>
    static HWY_INLINE T apply(T a) {
        return a < 0 ? negate(a) : a;
    }
};
struct Neg {
    template <class T>
    static HWY_INLINE T apply(T a) {
        return negate(a);
    }
};
struct Min {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return b < a ? b : a;
    }
};
struct Max {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return a < b ? b : a;
    }
};
template <class F>
struct Relu {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return Max::apply(F::apply(a, b), T(0));
    }
};
/// Two 16-bit lanes in a word.
template <class F, class H>
struct Packed {
    static HWY_INLINE uint32_t apply(uint32_t a, uint32_t b) {
        const auto low = static_cast<uint16_t>(F::apply(static_cast<H>(a), static_cast<H>(b)));
        const auto high = static_cast<uint16_t>(F::apply(static_cast<H>(a >> 16), static_cast<H>(b >> 16)));
        return low | static_cast<uint32_t>(high) << 16;
    }
};
struct Sad {
    template <class T>
    static HWY_INLINE T apply(T a, T b, T c) {
        return wrapAdd(c, a < b ? Sub::apply(b, a) : Sub::apply(a, b));
    }
};
template <class A, class B, class C>
struct Dp4a {
    static HWY_INLINE C apply(uint32_t a, uint32_t b, C c) {
        auto sum = static_cast<uint32_t>(c);
        for (int i = 0; i < 4; ++i)
            sum += static_cast<uint32_t>(static_cast<A>(a >> (8 * i)) * static_cast<B>(b >> (8 * i)));
        return static_cast<C>(sum);
    }
};
template <class A, class B, class C, bool high>
struct Dp2a {
    static HWY_INLINE C apply(uint32_t a, uint32_t b, C c) {
        auto sum = static_cast<uint32_t>(c);
        for (int i = 0; i < 2; ++i)
            sum +=
                static_cast<uint32_t>(static_cast<A>(a >> (16 * i)) * static_cast<B>(b >> (8 * i + (high ? 16 : 0))));
        return static_cast<C>(sum);
    }
};

template <class T>
void addOfType(HandlerTable& t, const std::string& type) {
    const OpClass kind = OpClass::Integer;
    add<Add, T, T, T>(t, "add." + type, kind);
    add<Sub, T, T, T>(t, "sub." + type, kind);
    add<MulLo, T, T, T>(t, "mul.lo." + type, kind);
    add<MulHi, T, T, T>(t, "mul.hi." + type, kind);
    add<MadLo, T, T, T, T>(t, "mad.lo." + type, kind);
    add<MadHi, T, T, T, T>(t, "mad.hi." + type, kind);
    if constexpr (sizeof(T) < 8) {
        add<MulWide, Wide<T>, T, T>(t, "mul.wide." + type, kind);
        add<MadWide, Wide<T>, T, T, Wide<T>>(t, "mad.wide." + type, kind);
    }
    add<Div, T, T, T>(t, "div." + type, kind);
    add<Rem, T, T, T>(t, "rem." + type, kind);
    add<Min, T, T, T>(t, "min." + type, kind);
    add<Max, T, T, T>(t, "max." + type, kind);
    add<Sad, T, T, T, T>(t, "sad." + type, kind);
    if constexpr (std::is_signed_v<T>) {
        add<Abs, T, T>(t, "abs." + type, kind);
        add<Neg, T, T>(t, "neg." + type, kind);
    }
}

void addIntegers(HandlerTable& t) {
    forEachInteger([&]<class T>(T, const char* type) { addOfType<T>(t, type); });
    const OpClass kind = OpClass::Integer;
    add<AddSat, int32_t, int32_t, int32_t>(t, "add.sat.s32", kind);
    add<SubSat, int32_t, int32_t, int32_t>(t, "sub.sat.s32", kind);
    add<Relu<Min>, int32_t, int32_t, int32_t>(t, "min.relu.s32", kind);
    add<Relu<Max>, int32_t, int32_t, int32_t>(t, "max.relu.s32", kind);
    add<Packed<Add, uint16_t>, uint32_t, uint32_t, uint32_t>(t, "add.u16x2", kind);
    add<Packed<Add, uint16_t>, uint32_t, uint32_t, uint32_t>(t, "add.s16x2", kind);
    add<Packed<Min, uint16_t>, uint32_t, uint32_t, uint32_t>(t, "min.u16x2", kind);
    add<Packed<Max, uint16_t>, uint32_t, uint32_t, uint32_t>(t, "max.u16x2", kind);
    add<Packed<Min, int16_t>, uint32_t, uint32_t, uint32_t>(t, "min.s16x2", kind);
    add<Packed<Max, int16_t>, uint32_t, uint32_t, uint32_t>(t, "max.s16x2", kind);
    add<Packed<Relu<Min>, int16_t>, uint32_t, uint32_t, uint32_t>(t, "min.relu.s16x2", kind);
    add<Packed<Relu<Max>, int16_t>, uint32_t, uint32_t, uint32_t>(t, "max.relu.s16x2", kind);
    add<Mul24, int32_t, int32_t, int32_t>(t, "mul24.lo.s32", kind);
    add<Mul24, uint32_t, uint32_t, uint32_t>(t, "mul24.lo.u32", kind);
    add<Mul24Hi, int32_t, int32_t, int32_t>(t, "mul24.hi.s32", kind);
    add<Mul24Hi, uint32_t, uint32_t, uint32_t>(t, "mul24.hi.u32", kind);
    add<Mul24, int32_t, int32_t, int32_t, int32_t>(t, "mad24.lo.s32", kind);
    add<Mul24, uint32_t, uint32_t, uint32_t, uint32_t>(t, "mad24.lo.u32", kind);
    add<Dp4a<uint8_t, uint8_t, uint32_t>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "dp4a.u32.u32", kind);
    add<Dp4a<uint8_t, int8_t, int32_t>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp4a.u32.s32", kind);
    add<Dp4a<int8_t, uint8_t, int32_t>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp4a.s32.u32", kind);
    add<Dp4a<int8_t, int8_t, int32_t>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp4a.s32.s32", kind);
    add<Dp2a<int16_t, int8_t, int32_t, false>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp2a.lo.s32.s32", kind);
    add<Dp2a<int16_t, int8_t, int32_t, true>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp2a.hi.s32.s32", kind);
    add<Dp2a<uint16_t, uint8_t, uint32_t, false>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "dp2a.lo.u32.u32", kind);
    add<Dp2a<uint16_t, uint8_t, uint32_t, true>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "dp2a.hi.u32.u32", kind);
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(addIntegers);
void addIntegerOperations(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addIntegers)(table); }
} // namespace warplight::vgpu
#endif
