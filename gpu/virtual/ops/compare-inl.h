// SPDX-License-Identifier: GPL-3.0-or-later
// Comparisons, also of what is not a number. Compiled once for each instruction set (hence no include guard).
#if defined(WARPLIGHT_VGPU_COMPARE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef WARPLIGHT_VGPU_COMPARE_INL_H
#undef WARPLIGHT_VGPU_COMPARE_INL_H
#else
#define WARPLIGHT_VGPU_COMPARE_INL_H
#endif

#include "gpu/virtual/ops/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::vgpu::HWY_NAMESPACE {

enum class Relation { Eq, Ne, Lt, Le, Gt, Ge, Equ, Neu, Ltu, Leu, Gtu, Geu, Num, Nan };

template <Relation r>
struct Compare {
    template <class T>
    static HWY_INLINE bool apply(T a, T b) {
        switch (r) {
        case Relation::Eq:
            return a == b;
        case Relation::Ne:
            return a < b || a > b; // false for NaN, as `ne` is ordered
        case Relation::Lt:
            return a < b;
        case Relation::Le:
            return a <= b;
        case Relation::Gt:
            return a > b;
        case Relation::Ge:
            return a >= b;
        case Relation::Equ:
            return !(a < b || a > b);
        case Relation::Neu:
            return !(a == b);
        case Relation::Ltu:
            return !(a >= b);
        case Relation::Leu:
            return !(a > b);
        case Relation::Gtu:
            return !(a <= b);
        case Relation::Geu:
            return !(a < b);
        case Relation::Num:
            return a == a && b == b;
        default:
            return !(a == a && b == b);
        }
    }
};

} // namespace warplight::vgpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
