// Integer arithmetic, logic, shifts and bit fields (PTX ISA, 9.7.1, 9.7.2, 9.7.8).
#include "gpu/virtual/ops/families.h"

#include <bit>
#include <tuple>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/integer.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
constexpr int bitsIn = sizeof(T) * 8;

/// The type of twice the width, and of the same signedness.
template <class T>
using Wide = std::conditional_t<
    std::is_signed_v<T>,
    std::conditional_t<sizeof(T) == 2, int32_t, std::conditional_t<sizeof(T) == 4, int64_t, __int128>>,
    std::conditional_t<sizeof(T) == 2, uint32_t, std::conditional_t<sizeof(T) == 4, uint64_t, unsigned __int128>>>;

/// Arithmetic modulo 2^bits, without C++'s undefined signed overflow or promotion to int.
template <class T>
HWY_INLINE T wrapAdd(T a, T b) {
    return static_cast<T>(static_cast<Unsigned<T>>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b)));
}
template <class T>
HWY_INLINE T wrapMul(T a, T b) {
    if constexpr (sizeof(T) == 2)
        return static_cast<T>(static_cast<uint32_t>(static_cast<uint16_t>(a)) * static_cast<uint16_t>(b));
    else
        return static_cast<T>(static_cast<Unsigned<T>>(a) * static_cast<Unsigned<T>>(b));
}
template <class T>
HWY_INLINE T negate(T a) {
    return static_cast<T>(static_cast<Unsigned<T>>(0 - static_cast<Unsigned<T>>(a)));
}

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
struct And {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return static_cast<T>(a & b);
    }
};
struct Or {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return static_cast<T>(a | b);
    }
};
struct Xor {
    template <class T>
    static HWY_INLINE T apply(T a, T b) {
        return static_cast<T>(a ^ b);
    }
};
struct Not {
    template <class T>
    static HWY_INLINE T apply(T a) {
        return static_cast<T>(~a);
    }
};
struct NotPredicate {
    static HWY_INLINE bool apply(bool a) { return !a; }
};
struct Cnot {
    template <class T>
    static HWY_INLINE T apply(T a) {
        return a == 0 ? 1 : 0;
    }
};
struct Move {
    template <class T>
    static HWY_INLINE T apply(T a) {
        return a;
    }
};
/// Shift amounts above the width behave as the width (clamped).
struct Shl {
    template <class T>
    static HWY_INLINE T apply(T a, uint32_t n) {
        return n >= bitsIn<T> ? T(0) : static_cast<T>(static_cast<Unsigned<T>>(a) << (n & (bitsIn<T> - 1)));
    }
};
struct Shr {
    template <class T>
    static HWY_INLINE T apply(T a, uint32_t n) {
        const uint32_t amount = n >= bitsIn<T> ? bitsIn<T> - 1 : n;
        const T shifted = static_cast<T>(a >> amount);
        if constexpr (std::is_signed_v<T>)
            return shifted;
        else
            return n >= bitsIn<T> ? T(0) : shifted;
    }
};
template <bool left, bool wrap>
struct Funnel {
    static HWY_INLINE uint32_t apply(uint32_t low, uint32_t high, uint32_t n) {
        n = wrap ? n & 31 : (n > 32 ? 32 : n);
        const uint64_t both = static_cast<uint64_t>(high) << 32 | low;
        return left ? static_cast<uint32_t>((both << n) >> 32) : static_cast<uint32_t>(both >> n);
    }
};
struct Popc {
    template <class T>
    static HWY_INLINE uint32_t apply(T a) {
        return static_cast<uint32_t>(std::popcount(a));
    }
};
struct Clz {
    template <class T>
    static HWY_INLINE uint32_t apply(T a) {
        return static_cast<uint32_t>(std::countl_zero(a));
    }
};
template <bool shift>
struct Bfind {
    template <class T>
    static HWY_INLINE uint32_t apply(T a) {
        Unsigned<T> bits = static_cast<Unsigned<T>>(a);
        if (std::is_signed_v<T> && a < 0)
            bits = static_cast<Unsigned<T>>(~bits);
        if (bits == 0)
            return fullMask;
        const auto zeros = static_cast<uint32_t>(std::countl_zero(bits));
        return shift ? zeros : bitsIn<T> - 1 - zeros;
    }
};
struct Brev {
    static HWY_INLINE uint32_t apply(uint32_t x) {
        x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
        x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
        x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
        x = (x >> 8 & 0x00ff00ffu) | (x & 0x00ff00ffu) << 8;
        return x >> 16 | x << 16;
    }
    static HWY_INLINE uint64_t apply(uint64_t x) {
        return static_cast<uint64_t>(apply(static_cast<uint32_t>(x))) << 32 | apply(static_cast<uint32_t>(x >> 32));
    }
};
struct Bfe {
    template <class T>
    static HWY_INLINE T apply(T a, uint32_t position, uint32_t length) {
        const int bits = bitsIn<T>;
        position &= 0xff;
        length &= 0xff;
        if (length == 0)
            return 0;
        const bool negative = std::is_signed_v<T> && (a >> std::min<uint32_t>(position + length - 1, bits - 1) & 1);
        Unsigned<T> field = position >= static_cast<uint32_t>(bits) ? 0 : static_cast<Unsigned<T>>(a) >> position;
        if (length < static_cast<uint32_t>(bits)) {
            const Unsigned<T> keep = (Unsigned<T>(1) << length) - 1;
            field = (field & keep) | (negative ? static_cast<Unsigned<T>>(~keep) : 0);
        }
        if (negative && position + length > static_cast<uint32_t>(bits)) { // bits beyond the end are the sign
            const uint32_t valid = position >= static_cast<uint32_t>(bits) ? 0 : bits - position;
            field |= valid == 0 ? static_cast<Unsigned<T>>(~Unsigned<T>(0))
                                : static_cast<Unsigned<T>>(~((Unsigned<T>(1) << valid) - 1));
        }
        return static_cast<T>(field);
    }
};
struct Bfi {
    template <class T>
    static HWY_INLINE T apply(T a, T b, uint32_t position, uint32_t length) {
        const auto bits = static_cast<uint32_t>(bitsIn<T>);
        position &= 0xff;
        length &= 0xff;
        if (position >= bits || length == 0)
            return b;
        T keep = length >= bits ? ~T(0) : (T(1) << length) - 1;
        keep <<= position;
        return (b & ~keep) | (a << position & keep);
    }
};
struct Prmt {
    static HWY_INLINE uint32_t pick(uint64_t bytes, uint32_t selector) {
        const auto byte = static_cast<uint32_t>(bytes >> (8 * (selector & 7)) & 0xff);
        return selector & 8 ? (byte & 0x80 ? 0xffu : 0u) : byte;
    }
    static HWY_INLINE uint32_t apply(uint32_t a, uint32_t b, uint32_t selector) {
        const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
        return pick(bytes, selector) | pick(bytes, selector >> 4) << 8 | pick(bytes, selector >> 8) << 16 |
               pick(bytes, selector >> 12) << 24;
    }
};
/// Any function of three bits, by its truth table in d.
struct Lop3 {
    static HWY_INLINE uint32_t apply(uint32_t a, uint32_t b, uint32_t c, uint32_t table) {
        uint32_t result = 0;
        for (uint32_t row = 0; row < 8; ++row)
            result |= (0 - (table >> row & 1)) & (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
        return result;
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
template <bool clamp>
struct Bmsk {
    static HWY_INLINE uint32_t apply(uint32_t position, uint32_t width) {
        if (clamp ? position >= 32 : false)
            return 0;
        position &= 31;
        width = clamp ? (width > 32 ? 32 : width) : width & 31;
        return static_cast<uint32_t>(((uint64_t(1) << width) - 1) << position);
    }
};
template <class T, bool clamp>
struct Szext {
    static HWY_INLINE T apply(T a, uint32_t n) {
        n = clamp ? (n > 32 ? 32 : n) : n & 31;
        if (n == 0)
            return 0;
        return static_cast<T>(static_cast<T>(static_cast<uint32_t>(a) << (32 - n)) >> (32 - n));
    }
};
/// fns: the n-th set bit from `base` on, upwards for n > 0, downwards for n < 0 (PTX ISA, 9.7.1.16).
struct Fns {
    static HWY_INLINE uint32_t apply(uint32_t mask, uint32_t base, int32_t offset) {
        if (offset == 0)
            return base < 32 && (mask >> base & 1) ? base : fullMask;
        int position = static_cast<int>(base & 31);
        const int step = offset > 0 ? 1 : -1;
        int count = offset > 0 ? offset - 1 : -offset - 1;
        for (; position >= 0 && position < 32; position += step)
            if (mask >> position & 1) {
                if (count == 0)
                    return static_cast<uint32_t>(position);
                --count;
            }
        return fullMask;
    }
};
/// Selects by a predicate, or by a sign (slct).
struct Selp {
    template <class T>
    static HWY_INLINE T apply(T a, T b, bool p) {
        return p ? a : b;
    }
};
struct Slct {
    template <class T, class C>
    static HWY_INLINE T apply(T a, T b, C c) {
        return c >= 0 ? a : b;
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
    add<Shr, T, T, uint32_t>(t, "shr." + type, kind);
    if constexpr (std::is_signed_v<T>) {
        add<Abs, T, T>(t, "abs." + type, kind);
        add<Neg, T, T>(t, "neg." + type, kind);
    }
    if constexpr (sizeof(T) >= 4) {
        add<Bfind<false>, uint32_t, T>(t, "bfind." + type, kind);
        add<Bfind<true>, uint32_t, T>(t, "bfind.shiftamt." + type, kind);
        add<Bfe, T, T, uint32_t, uint32_t>(t, "bfe." + type, kind);
    }
    add<Selp, T, T, T, Predicate>(t, "selp." + type, OpClass::Move);
    add<Slct, T, T, T, int32_t>(t, "slct." + type + ".s32", OpClass::Move);
    add<Move, T, T>(t, "mov." + type, OpClass::Move);
}

template <class T>
void addBits(HandlerTable& t, const std::string& type) {
    const OpClass kind = OpClass::Integer;
    add<And, T, T, T>(t, "and." + type, kind);
    add<Or, T, T, T>(t, "or." + type, kind);
    add<Xor, T, T, T>(t, "xor." + type, kind);
    add<Not, T, T>(t, "not." + type, kind);
    add<Cnot, T, T>(t, "cnot." + type, kind);
    add<Shl, T, T, uint32_t>(t, "shl." + type, kind);
    add<Shr, T, T, uint32_t>(t, "shr." + type, kind);
    add<Selp, T, T, T, Predicate>(t, "selp." + type, OpClass::Move);
    add<Slct, T, T, T, int32_t>(t, "slct." + type + ".s32", OpClass::Move);
    add<Slct, T, T, T, float>(t, "slct." + type + ".f32", OpClass::Move);
    add<Move, T, T>(t, "mov." + type, OpClass::Move);
    if constexpr (sizeof(T) >= 4) {
        add<Popc, uint32_t, T>(t, "popc." + type, kind);
        add<Clz, uint32_t, T>(t, "clz." + type, kind);
        add<Brev, T, T>(t, "brev." + type, kind);
        add<Bfi, T, T, T, uint32_t, uint32_t>(t, "bfi." + type, kind);
    }
}

void addIntegers(HandlerTable& t) {
    addOfType<int16_t>(t, "s16");
    addOfType<uint16_t>(t, "u16");
    addOfType<int32_t>(t, "s32");
    addOfType<uint32_t>(t, "u32");
    addOfType<int64_t>(t, "s64");
    addOfType<uint64_t>(t, "u64");
    addBits<uint16_t>(t, "b16");
    addBits<uint32_t>(t, "b32");
    addBits<uint64_t>(t, "b64");
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
    add<Funnel<true, true>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "shf.l.wrap.b32", kind);
    add<Funnel<true, false>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "shf.l.clamp.b32", kind);
    add<Funnel<false, true>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "shf.r.wrap.b32", kind);
    add<Funnel<false, false>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "shf.r.clamp.b32", kind);
    add<Prmt, uint32_t, uint32_t, uint32_t, uint32_t>(t, "prmt.b32", kind);
    add<Lop3, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>(t, "lop3.b32", kind);
    add<Dp4a<uint8_t, uint8_t, uint32_t>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "dp4a.u32.u32", kind);
    add<Dp4a<uint8_t, int8_t, int32_t>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp4a.u32.s32", kind);
    add<Dp4a<int8_t, uint8_t, int32_t>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp4a.s32.u32", kind);
    add<Dp4a<int8_t, int8_t, int32_t>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp4a.s32.s32", kind);
    add<Dp2a<int16_t, int8_t, int32_t, false>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp2a.lo.s32.s32", kind);
    add<Dp2a<int16_t, int8_t, int32_t, true>, int32_t, uint32_t, uint32_t, int32_t>(t, "dp2a.hi.s32.s32", kind);
    add<Dp2a<uint16_t, uint8_t, uint32_t, false>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "dp2a.lo.u32.u32", kind);
    add<Dp2a<uint16_t, uint8_t, uint32_t, true>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "dp2a.hi.u32.u32", kind);
    add<Bmsk<true>, uint32_t, uint32_t, uint32_t>(t, "bmsk.clamp.b32", kind);
    add<Bmsk<false>, uint32_t, uint32_t, uint32_t>(t, "bmsk.wrap.b32", kind);
    add<Szext<int32_t, true>, int32_t, int32_t, uint32_t>(t, "szext.clamp.s32", kind);
    add<Szext<uint32_t, true>, uint32_t, uint32_t, uint32_t>(t, "szext.clamp.u32", kind);
    add<Szext<int32_t, false>, int32_t, int32_t, uint32_t>(t, "szext.wrap.s32", kind);
    add<Szext<uint32_t, false>, uint32_t, uint32_t, uint32_t>(t, "szext.wrap.u32", kind);
    add<Fns, uint32_t, uint32_t, uint32_t, int32_t>(t, "fns.b32", kind);
    add<And, Predicate, Predicate, Predicate>(t, "and.pred", kind);
    add<Or, Predicate, Predicate, Predicate>(t, "or.pred", kind);
    add<Xor, Predicate, Predicate, Predicate>(t, "xor.pred", kind);
    add<NotPredicate, Predicate, Predicate>(t, "not.pred", kind);
    add<Move, Predicate, Predicate>(t, "mov.pred", OpClass::Move);
    add<Selp, float, float, float, Predicate>(t, "selp.f32", OpClass::Move);
    add<Selp, double, double, double, Predicate>(t, "selp.f64", OpClass::Move);
    add<Slct, float, float, float, int32_t>(t, "slct.f32.s32", OpClass::Move);
    add<Slct, float, float, float, float>(t, "slct.f32.f32", OpClass::Move);
    add<Slct, int32_t, int32_t, int32_t, float>(t, "slct.s32.f32", OpClass::Move);
    add<Slct, uint32_t, uint32_t, uint32_t, float>(t, "slct.u32.f32", OpClass::Move);
    add<Move, float, float>(t, "mov.f32", OpClass::Move);
    add<Move, double, double>(t, "mov.f64", OpClass::Move);
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(addIntegers);
void addIntegerOperations(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addIntegers)(table); }
} // namespace warplight::vgpu
#endif
