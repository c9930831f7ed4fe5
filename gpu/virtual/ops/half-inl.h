// SPDX-License-Identifier: GPL-3.0-or-later
// The 16-bit formats: how they become f32 and back. Compiled once for each instruction set (hence no include guard).
#if defined(WARPLIGHT_VGPU_HALF_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_VGPU_HALF_INL_H
#undef WARPLIGHT_VGPU_HALF_INL_H
#else
#define WARPLIGHT_VGPU_HALF_INL_H
#endif

#include "gpu/virtual/ops/lanes-inl.h"

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

struct F16 {
    static HWY_INLINE float widen(uint16_t x) { return halfToFloat(x); }
    static HWY_INLINE uint16_t narrow(float x) { return floatToHalf(x); }
    /// Subnormals to zeros (.ftz).
    static HWY_INLINE uint16_t flushed(uint16_t x) { return (x & 0x7c00) == 0 ? x & 0x8000 : x; }
    static constexpr const char *name = "f16", *pair = "f16x2";
    static constexpr ptx::Type type{'f', 16}, pairType{'f', 32, 2};
};
struct Bf16 {
    static HWY_INLINE float widen(uint16_t x) { return bfloatToFloat(x); }
    static HWY_INLINE uint16_t narrow(float x) { return floatToBfloat(x); }
    static HWY_INLINE uint16_t flushed(uint16_t x) { return x; }
    static constexpr const char *name = "bf16", *pair = "bf16x2";
    static constexpr ptx::Type type{'h', 16}, pairType{'h', 32, 2};
};

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
