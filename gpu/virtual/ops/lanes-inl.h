// SPDX-License-Identifier: GPL-3.0-or-later
// How a lane operation runs over a whole warp. Compiled once for each instruction set (hence no include guard).
#if defined(WARPLIGHT_VGPU_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_VGPU_LANES_INL_H
#undef WARPLIGHT_VGPU_LANES_INL_H
#else
#define WARPLIGHT_VGPU_LANES_INL_H
#endif

#include "gpu/virtual/handlers.h"
#include "gpu/virtual/warp.h"
#include "hwy/highway.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Lane i of a row. A predicate's row is one mask.
template <class T>
struct Source {
    const T* row;
    Source(const Warp& w, Row at) : row(in<T>(w, at)) {}
    HWY_INLINE T operator[](int i) const { return row[i]; }
};
template <>
struct Source<Predicate> {
    uint32_t mask;
    Source(const Warp& w, Row at) : mask(*in<uint32_t>(w, at)) {}
    HWY_INLINE bool operator[](int i) const { return mask >> i & 1; }
};

/// Bit i: F::apply(a[i], …). Predicates are combined as masks, case by case; other truths are packed bytes first.
template <class F, class... S, size_t... I>
HWY_INLINE uint32_t truths(const std::tuple<Source<S>...>& sources, std::index_sequence<I...>) {
    if constexpr ((std::is_same_v<S, Predicate> && ...)) {
        uint32_t holds = 0;
        for (uint32_t values = 0; values < 1u << sizeof...(S); ++values) {
            const uint32_t lanes = (... & (values >> I & 1 ? std::get<I>(sources).mask : ~std::get<I>(sources).mask));
            holds |= F::apply((values >> I & 1) != 0 ...) ? lanes : 0;
        }
        return holds;
    } else {
#if HWY_MAX_BYTES >= 32
        alignas(64) int8_t truth[warpSize];
        for (int i = 0; i < warpSize; ++i)
            truth[i] = static_cast<int8_t>(-static_cast<int>(F::apply(std::get<I>(sources)[i]...)));
        const hn::FixedTag<int8_t, warpSize> d;
        uint32_t holds;
        hn::StoreMaskBits(d, hn::MaskFromVec(hn::Load(d, truth)), reinterpret_cast<uint8_t*>(&holds));
        return holds;
#else
        alignas(64) uint32_t bit[warpSize];
        for (int i = 0; i < warpSize; ++i)
            bit[i] = static_cast<uint32_t>(F::apply(std::get<I>(sources)[i]...)) << i;
        uint32_t holds = 0;
        for (int i = 0; i < warpSize; ++i)
            holds |= bit[i];
        return holds;
#endif
    }
}

/// The active lanes of a row take their new values.
template <class D>
HWY_NOINLINE void takeActive(D* row, const D* values, uint32_t active) {
    for (int i = 0; i < warpSize; ++i)
        row[i] = active >> i & 1 ? values[i] : row[i];
}

/// d[i] = F::apply(a[i], …) for the active lanes.
template <class F, class D, class... S, size_t... I>
HWY_INLINE void applyLanes(Warp& w, const Op* op, std::index_sequence<I...>) {
    const Row at[] = {op->a, op->b, op->c, op->d};
    const std::tuple<Source<S>...> sources{Source<S>(w, at[I])...};
    if constexpr (std::is_same_v<D, Predicate>) {
        const uint32_t holds = truths<F, S...>(sources, std::index_sequence<I...>());
        uint32_t* row = out<uint32_t>(w, op->dst);
        *row = (*row & ~w.mask) | (holds & w.mask);
    } else {
        // One loop for both: with all lanes active it writes where the result belongs, otherwise beside it.
        D* row = out<D>(w, op->dst);
        alignas(64) D beside[warpSize];
        D* to = w.mask == fullMask ? row : beside;
#pragma GCC ivdep
        for (int i = 0; i < warpSize; ++i)
            to[i] = F::apply(std::get<I>(sources)[i]...);
        if (to == beside)
            takeActive(row, beside, w.mask);
    }
}

template <class F, class D, class... S>
const Op* lanes(Warp& w, const Op* op) {
    applyLanes<F, D, S...>(w, op, std::index_sequence_for<S...>());
    return op + 1;
}

template <class F, class D, class... S>
void add(HandlerTable& table, const std::string& name, OpClass kind, uint32_t flops = 0) {
    table[name] = {&lanes<F, D, S...>, typeOf<D>(), {typeOf<S>()...}, kind, flops};
}

/// The same with the types said: for those that C++ has no type of, such as f16 in a uint16_t.
template <class F, class D, class... S>
void addAs(HandlerTable& table, const std::string& name, OpClass kind, uint32_t flops, ptx::Type dst,
           std::vector<ptx::Type> sources) {
    table[name] = {&lanes<F, D, S...>, dst, std::move(sources), kind, flops};
}

// ---- what floating-point results have in common

HWY_INLINE uint32_t bitsOf(float x) { return std::bit_cast<uint32_t>(x); }
HWY_INLINE uint64_t bitsOf(double x) { return std::bit_cast<uint64_t>(x); }
HWY_INLINE float floatOf(uint32_t x) { return std::bit_cast<float>(x); }

/// Subnormals become zeros of their sign.
HWY_INLINE float flush(float x) {
    const uint32_t bits = bitsOf(x);
    return floatOf((bits & 0x7f800000u) == 0 ? bits & 0x80000000u : bits);
}
template <class T>
HWY_INLINE T flush(T x) {
    return x;
}

/// PTX ISA, 9.7.3: f32 results that are NaN are the canonical 0x7fffffff.
HWY_INLINE float canonical(float x) { return x != x ? floatOf(0x7fffffffu) : x; }
HWY_INLINE double canonical(double x) { return x; }

HWY_INLINE float saturate(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; } // NaN: +0
HWY_INLINE double saturate(double x) { return x > 0.0 ? (x < 1.0 ? x : 1.0) : 0.0; }

template <class F>
struct Canonical {
    template <class... T>
    static HWY_INLINE auto apply(T... x) {
        return canonical(F::apply(x...));
    }
};
template <class F>
struct Ftz {
    template <class... T>
    static HWY_INLINE auto apply(T... x) {
        return flush(F::apply(flush(x)...));
    }
};
template <class F>
struct Sat {
    template <class... T>
    static HWY_INLINE auto apply(T... x) {
        return saturate(F::apply(x...));
    }
};

// ---- half precision, without branches so that the loop over lanes becomes SIMD

HWY_INLINE float halfToFloat(uint16_t h) {
    const uint32_t size = static_cast<uint32_t>(h & 0x7fff) << 13, exponent = size & 0x0f800000u;
    const uint32_t normal = size + (112u << 23);
    const uint32_t special = size + (224u << 23);
    const uint32_t subnormal = bitsOf(floatOf(size + (113u << 23)) - floatOf(113u << 23));
    const uint32_t bits = exponent == 0x0f800000u ? special : exponent == 0 ? subnormal : normal;
    return floatOf(bits | static_cast<uint32_t>(h & 0x8000) << 16);
}

/// To nearest even; NaN becomes 0x7fff.
HWY_INLINE uint16_t floatToHalf(float x) {
    const uint32_t bits = bitsOf(x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffffu;
    const uint32_t normal = (size - (112u << 23) + 0xfff + (size >> 13 & 1)) >> 13;
    // Adding 0.5 moves the units of 2^-24 to the end of the fraction, rounded.
    const uint32_t subnormal = bitsOf(floatOf(size) + 0.5f) - bitsOf(0.5f);
    uint32_t half = size < (113u << 23) ? subnormal : normal;
    half = size >= 0x477ff000u ? 0x7c00u : half;
    half = size > 0x7f800000u ? 0x7fffu : (half | sign);
    return static_cast<uint16_t>(half);
}

HWY_INLINE float bfloatToFloat(uint16_t h) { return floatOf(static_cast<uint32_t>(h) << 16); }

HWY_INLINE uint16_t floatToBfloat(float x) {
    const uint32_t bits = bitsOf(x);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return static_cast<uint16_t>(x != x ? 0x7fffu : rounded);
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
