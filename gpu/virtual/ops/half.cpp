// SPDX-License-Identifier: GPL-3.0-or-later
// f16, bf16 and their packed pairs (PTX ISA, 9.7.4). Computed in f32 and rounded once more: harmless for +, -, · since
// f32 has more than twice the bits; the fused multiply-add keeps the lost bits sticky, bf16's goes through f64.
#include "gpu/virtual/ops/families.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gpu/virtual/ops/half.cpp"
#include "gpu/virtual/ops/targets.h"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "gpu/virtual/ops/half-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

struct AddH {
    static HWY_INLINE float apply(float a, float b) { return a + b; }
};
struct SubH {
    static HWY_INLINE float apply(float a, float b) { return a - b; }
};
struct MulH {
    static HWY_INLINE float apply(float a, float b) { return a * b; }
};
/// a·b + c rounded to f32 "to odd": what a later rounding to 16 bits makes of it is what one rounding would have. Of
/// f16 numbers, whose product f32 holds exactly.
struct FmaOfHalves {
    static HWY_INLINE float apply(float a, float b, float c) {
        const float product = a * b, sum = product + c, back = sum - product;
        const float lost = (product - (sum - back)) + (c - back); // exactly
        const uint32_t bits = bitsOf(sum), odd = (lost > 0) == (sum > 0) ? bits | 1 : bits - 1;
        const bool isInexact = lost != 0 && std::fabs(sum) < std::numeric_limits<float>::infinity();
        return isInexact && (bits & 1) == 0 ? floatOf(odd) : sum;
    }
};
/// The same of bf16 numbers, whose products leave f32's range.
struct FmaOfBfloats {
    static HWY_INLINE float apply(float a, float b, float c) {
        const double product = static_cast<double>(a) * static_cast<double>(b), addend = c;
        const double sum = product + addend;
        const double back = sum - product;
        const double lost = (product - (sum - back)) + (addend - back);
        uint64_t bits = bitsOf(sum);
        if (lost != 0 && std::fabs(sum) < std::numeric_limits<double>::infinity() && (bits & 1) == 0)
            bits = (lost > 0) == (sum > 0) ? bits | 1 : bits - 1;
        // f64 to f32, to odd: cut off, remember in the last bit that something was.
        const double odd = std::bit_cast<double>(bits);
        float single = static_cast<float>(odd);
        const auto again = static_cast<double>(single);
        if (again != odd && odd == odd && std::fabs(again) < std::numeric_limits<double>::infinity()) {
            uint32_t narrow = bitsOf(single);
            if (std::fabs(again) > std::fabs(odd))
                --narrow; // towards zero
            single = floatOf(narrow | 1);
        } else if (again != odd && odd == odd) {
            single = std::copysign(std::numeric_limits<float>::max(), single); // only overflows in 16 bits as well
        }
        return single;
    }
};
template <class H>
using FmaH = std::conditional_t<std::is_same_v<H, F16>, FmaOfHalves, FmaOfBfloats>;
struct MinH {
    static HWY_INLINE float apply(float a, float b) {
        const float ordered = a < b || (a == b && bitsOf(a) > bitsOf(b)) ? a : b;
        return a != a ? b : b != b ? a : ordered;
    }
};
struct MaxH {
    static HWY_INLINE float apply(float a, float b) {
        const float ordered = a > b || (a == b && bitsOf(a) < bitsOf(b)) ? a : b;
        return a != a ? b : b != b ? a : ordered;
    }
};
template <class F>
struct PropagateH {
    static HWY_INLINE float apply(float a, float b) { return a != a || b != b ? floatOf(0x7fffffffu) : F::apply(a, b); }
};
template <class F>
struct SatH {
    template <class... T>
    static HWY_INLINE float apply(T... x) {
        return saturate(F::apply(x...));
    }
};
template <class F>
struct ReluH { ///< negative becomes 0, NaN stays NaN
    template <class... T>
    static HWY_INLINE float apply(T... x) {
        const float y = F::apply(x...);
        return y != y ? y : y > 0 ? y : 0.0f;
    }
};
struct Ex2H {
    static HWY_INLINE float apply(float a) { return static_cast<float>(std::exp2(static_cast<double>(a))); }
};
struct TanhH {
    static HWY_INLINE float apply(float a) { return static_cast<float>(std::tanh(static_cast<double>(a))); }
};

template <class H, class F, bool ftz>
struct Scalar {
    template <class... T>
    static HWY_INLINE uint16_t apply(T... x) {
        if constexpr (ftz)
            return H::flushed(H::narrow(F::apply(H::widen(H::flushed(x))...)));
        else
            return H::narrow(F::apply(H::widen(x)...));
    }
};
template <class H, class F, bool ftz>
struct Pair {
    template <class... T>
    static HWY_INLINE uint32_t apply(T... x) {
        const uint16_t low = Scalar<H, F, ftz>::apply(static_cast<uint16_t>(x)...);
        const uint16_t high = Scalar<H, F, ftz>::apply(static_cast<uint16_t>(x >> 16)...);
        return low | static_cast<uint32_t>(high) << 16;
    }
};
struct NegBits {
    static HWY_INLINE uint16_t apply(uint16_t x) { return x ^ 0x8000; }
    static HWY_INLINE uint32_t apply(uint32_t x) { return x ^ 0x80008000u; }
};
struct AbsBits {
    static HWY_INLINE uint16_t apply(uint16_t x) { return x & 0x7fff; }
    static HWY_INLINE uint32_t apply(uint32_t x) { return x & 0x7fff7fffu; }
};

template <class H, class F, bool ftz, size_t... I>
void addBoth(HandlerTable& t, const std::string& name, OpClass kind, uint32_t flops, std::index_sequence<I...>) {
    addAs<Scalar<H, F, ftz>, uint16_t, std::enable_if_t<(I >= 0), uint16_t>...>(
        t, name + H::name, kind, flops, H::type, std::vector<ptx::Type>(sizeof...(I), H::type));
    addAs<Pair<H, F, ftz>, uint32_t, std::enable_if_t<(I >= 0), uint32_t>...>(
        t, name + H::pair, kind, 2 * flops, H::pairType, std::vector<ptx::Type>(sizeof...(I), H::pairType));
}
template <class H, class F, int operands>
void addHalf(HandlerTable& t, const std::string& name, OpClass kind, uint32_t flops) {
    addBoth<H, F, false>(t, name + ".", kind, flops, std::make_index_sequence<operands>());
    addBoth<H, F, true>(t, name + ".ftz.", kind, flops, std::make_index_sequence<operands>());
}

template <class H>
void addFormat(HandlerTable& t) {
    const OpClass kind = OpClass::Fp16;
    addHalf<H, AddH, 2>(t, "add", kind, 1);
    addHalf<H, SubH, 2>(t, "sub", kind, 1);
    addHalf<H, MulH, 2>(t, "mul", kind, 1);
    addHalf<H, FmaH<H>, 3>(t, "fma", kind, 2);
    addBoth<H, SatH<AddH>, false>(t, "add.sat.", kind, 1, std::make_index_sequence<2>());
    addBoth<H, SatH<SubH>, false>(t, "sub.sat.", kind, 1, std::make_index_sequence<2>());
    addBoth<H, SatH<MulH>, false>(t, "mul.sat.", kind, 1, std::make_index_sequence<2>());
    addBoth<H, SatH<FmaH<H>>, false>(t, "fma.sat.", kind, 2, std::make_index_sequence<3>());
    addBoth<H, ReluH<FmaH<H>>, false>(t, "fma.relu.", kind, 2, std::make_index_sequence<3>());
    addHalf<H, MinH, 2>(t, "min", kind, 0);
    addHalf<H, MaxH, 2>(t, "max", kind, 0);
    addBoth<H, PropagateH<MinH>, false>(t, "min.NaN.", kind, 0, std::make_index_sequence<2>());
    addBoth<H, PropagateH<MaxH>, false>(t, "max.NaN.", kind, 0, std::make_index_sequence<2>());
    addHalf<H, Ex2H, 1>(t, "ex2", OpClass::Special, 1);
    addHalf<H, TanhH, 1>(t, "tanh", OpClass::Special, 1);
    for (const char* ftz : {"", "ftz."}) {
        addAs<NegBits, uint16_t, uint16_t>(t, std::string("neg.") + ftz + H::name, kind, 0, H::type, {H::type});
        addAs<NegBits, uint32_t, uint32_t>(t, std::string("neg.") + ftz + H::pair, kind, 0, H::pairType, {H::pairType});
        addAs<AbsBits, uint16_t, uint16_t>(t, std::string("abs.") + ftz + H::name, kind, 0, H::type, {H::type});
        addAs<AbsBits, uint32_t, uint32_t>(t, std::string("abs.") + ftz + H::pair, kind, 0, H::pairType, {H::pairType});
    }
}

void addHalves(HandlerTable& t) {
    addFormat<F16>(t);
    addFormat<Bf16>(t);
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::vgpu {
HWY_EXPORT(addHalves);
void addHalfOperations(HandlerTable& table) { HWY_DYNAMIC_DISPATCH(addHalves)(table); }
} // namespace warplight::vgpu
#endif
