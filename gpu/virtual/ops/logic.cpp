// SPDX-License-Identifier: GPL-3.0-or-later
// Logic, shifts, moves and selections (PTX ISA, 9.7.8, 9.7.6, 9.7.9).
#include "gpu/virtual/ops/families.h"

#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/logic.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/integer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

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
/// Any function of three bits, by its truth table in d.
struct Lop3 {
    static HWY_INLINE uint32_t apply(uint32_t a, uint32_t b, uint32_t c, uint32_t table) {
        uint32_t result = 0;
        for (uint32_t row = 0; row < 8; ++row)
            result |= (0 - (table >> row & 1)) & (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
        return result;
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
void addChoices(HandlerTable& t, const std::string& type) {
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
    add<Slct, T, T, T, float>(t, "slct." + type + ".f32", OpClass::Move);
    addChoices<T>(t, type);
}

void addLogicOfAll(HandlerTable& t) {
    const OpClass kind = OpClass::Integer;
    forEachInteger([&]<class T>(T, const std::string& type) {
        add<Shr, T, T, uint32_t>(t, "shr." + type, kind);
        addChoices<T>(t, type);
    });
    forEachBits([&]<class T>(T, const char* type) { addBits<T>(t, type); });
    add<Funnel<true, true>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "shf.l.wrap.b32", kind);
    add<Funnel<true, false>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "shf.l.clamp.b32", kind);
    add<Funnel<false, true>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "shf.r.wrap.b32", kind);
    add<Funnel<false, false>, uint32_t, uint32_t, uint32_t, uint32_t>(t, "shf.r.clamp.b32", kind);
    add<Lop3, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>(t, "lop3.b32", kind);
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
HWY_EXPORT(addLogicOfAll);
void addLogicOperations(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addLogicOfAll)(table); }
} // namespace warplight::vgpu
#endif
