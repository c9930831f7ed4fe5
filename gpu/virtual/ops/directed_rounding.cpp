// SPDX-License-Identifier: GPL-3.0-or-later
// Arithmetic and conversions rounded towards zero, down or up. Rare, so the processor's rounding mode is set around
// each instruction (this file is compiled with -frounding-math).
#include "gpu/virtual/ops/families.h"

#include <cfenv>
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>

#include "gpu/virtual/ops/lanes-inl.h"

namespace warplight::vgpu::HWY_NAMESPACE {
namespace {

struct RoundedAdd {
    template <class T>
    static T apply(T a, T b) {
        return a + b;
    }
};
struct RoundedSub {
    template <class T>
    static T apply(T a, T b) {
        return a - b;
    }
};
struct RoundedMul {
    template <class T>
    static T apply(T a, T b) {
        return a * b;
    }
};
struct RoundedFma {
    template <class T>
    static T apply(T a, T b, T c) {
        return std::fma(a, b, c);
    }
};
struct RoundedDiv {
    template <class T>
    static T apply(T a, T b) {
        return a / b;
    }
};
struct RoundedSqrt {
    template <class T>
    static T apply(T a) {
        return std::sqrt(a);
    }
};
struct RoundedRcp {
    template <class T>
    static T apply(T a) {
        return T(1) / a;
    }
};
template <class To>
struct RoundedCast {
    template <class From>
    static To apply(From a) {
        return static_cast<To>(a);
    }
};

template <int mode, class F, class D, class... S>
const Op* rounded(Warp& w, const Op* op) {
    std::fesetround(mode);
    const Op* next = lanes<F, D, S...>(w, op);
    std::fesetround(FE_TONEAREST);
    return next;
}

template <int mode, class F, class D, class... S>
void addMode(HandlerTable& t, const std::string& name, OpClass kind, uint32_t flops) {
    t[name] = {&rounded<mode, F, D, S...>, typeOf<D>(), {typeOf<S>()...}, kind, flops};
}

template <int mode, class F, class... S>
void addSingle(HandlerTable& t, const std::string& name, OpClass kind, uint32_t flops) {
    addMode<mode, Canonical<F>, float, S...>(t, name + ".f32", kind, flops);
    addMode<mode, Canonical<Ftz<F>>, float, S...>(t, name + ".ftz.f32", kind, flops);
    addMode<mode, Sat<F>, float, S...>(t, name + ".sat.f32", kind, flops);
    addMode<mode, Sat<Ftz<F>>, float, S...>(t, name + ".ftz.sat.f32", kind, flops);
}

template <int mode, class I>
void addFromInt(HandlerTable& t, const std::string& m, const std::string& type) {
    addMode<mode, RoundedCast<float>, float, I>(t, "cvt." + m + ".f32." + type, OpClass::Convert, 0);
    addMode<mode, RoundedCast<double>, double, I>(t, "cvt." + m + ".f64." + type, OpClass::Convert, 0);
}

template <int mode>
void addRounding(HandlerTable& t, const std::string& m) {
    addSingle<mode, RoundedAdd, float, float>(t, "add." + m, OpClass::Fp32, 1);
    addSingle<mode, RoundedSub, float, float>(t, "sub." + m, OpClass::Fp32, 1);
    addSingle<mode, RoundedMul, float, float>(t, "mul." + m, OpClass::Fp32, 1);
    addSingle<mode, RoundedFma, float, float, float>(t, "fma." + m, OpClass::Fp32, 2);
    addSingle<mode, RoundedDiv, float, float>(t, "div." + m, OpClass::Special, 1);
    addSingle<mode, RoundedSqrt, float>(t, "sqrt." + m, OpClass::Special, 1);
    addSingle<mode, RoundedRcp, float>(t, "rcp." + m, OpClass::Special, 1);
    addMode<mode, RoundedAdd, double, double, double>(t, "add." + m + ".f64", OpClass::Fp64, 1);
    addMode<mode, RoundedSub, double, double, double>(t, "sub." + m + ".f64", OpClass::Fp64, 1);
    addMode<mode, RoundedMul, double, double, double>(t, "mul." + m + ".f64", OpClass::Fp64, 1);
    addMode<mode, RoundedFma, double, double, double, double>(t, "fma." + m + ".f64", OpClass::Fp64, 2);
    addMode<mode, RoundedDiv, double, double, double>(t, "div." + m + ".f64", OpClass::Fp64, 1);
    addMode<mode, RoundedSqrt, double, double>(t, "sqrt." + m + ".f64", OpClass::Fp64, 1);
    addMode<mode, RoundedRcp, double, double>(t, "rcp." + m + ".f64", OpClass::Fp64, 1);
    addMode<mode, Canonical<RoundedCast<float>>, float, double>(t, "cvt." + m + ".f32.f64", OpClass::Convert, 0);
    addMode<mode, Canonical<Ftz<RoundedCast<float>>>, float, double>(t, "cvt." + m + ".ftz.f32.f64", OpClass::Convert,
                                                                     0);
    addFromInt<mode, int16_t>(t, m, "s16");
    addFromInt<mode, uint16_t>(t, m, "u16");
    addFromInt<mode, int32_t>(t, m, "s32");
    addFromInt<mode, uint32_t>(t, m, "u32");
    addFromInt<mode, int64_t>(t, m, "s64");
    addFromInt<mode, uint64_t>(t, m, "u64");
}

} // namespace
} // namespace warplight::vgpu::HWY_NAMESPACE

namespace warplight::vgpu {

void addDirectedRounding(HandlerTable& table) {
    HWY_STATIC_DISPATCH(addRounding<FE_TOWARDZERO>)(table, "rz");
    HWY_STATIC_DISPATCH(addRounding<FE_DOWNWARD>)(table, "rm");
    HWY_STATIC_DISPATCH(addRounding<FE_UPWARD>)(table, "rp");
}

const HandlerTable& laneOperations() {
    static const HandlerTable table = [] {
        HandlerTable all;
        addIntegerOperations(all);
        addLogicOperations(all);
        addBitOperations(all);
        addFloatOperations(all);
        addHalfOperations(all);
        addConversions(all);
        addComparisons(all);
        addHalfComparisons(all);
        addDirectedRounding(all);
        return all;
    }();
    return table;
}

} // namespace warplight::vgpu
