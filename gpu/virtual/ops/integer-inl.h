// SPDX-License-Identifier: GPL-3.0-or-later
// What the operations on integers have in common. Compiled once for each instruction set (hence no include guard).
#if defined(WARPLIGHT_VGPU_INTEGER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_VGPU_INTEGER_INL_H
#undef WARPLIGHT_VGPU_INTEGER_INL_H
#else
#define WARPLIGHT_VGPU_INTEGER_INL_H
#endif

#include "gpu/virtual/ops/lanes-inl.h"

#include <cstdint>
#include <type_traits>

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

/// Calls `f` with a value of each integer type and its name.
template <class F>
void forEachInteger(F f) {
    f(int16_t(), "s16");
    f(uint16_t(), "u16");
    f(int32_t(), "s32");
    f(uint32_t(), "u32");
    f(int64_t(), "s64");
    f(uint64_t(), "u64");
}
/// The same for types that are bits only.
template <class F>
void forEachBits(F f) {
    f(uint16_t(), "b16");
    f(uint32_t(), "b32");
    f(uint64_t(), "b64");
}

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
