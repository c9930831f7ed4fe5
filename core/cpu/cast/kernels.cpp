// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/cast/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/cast/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/small_float-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {

bool castNumbers(const float* x, float* y, int64_t count, float factor, const SmallFloat& format) {
    const hn::ScalableTag<float> d;
    constexpr int64_t lanes = hn::MaxLanes(hn::ScalableTag<float>());
    const auto by = hn::Set(d, factor), zero = hn::Zero(d);
    auto none = zero; // 0 · y is 0, or NaN from the first y on that is not finite
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        const auto kept = keptOf(d, hn::Mul(hn::LoadU(d, x + i), by), format);
        none = hn::MulAdd(kept, zero, none);
        hn::StoreU(kept, d, y + i);
    }
    HWY_ALIGN float end[lanes] = {};
    if (i < count) {
        std::copy_n(x + i, count - i, end);
        const auto kept = keptOf(d, hn::Mul(hn::Load(d, end), by), format);
        none = hn::MulAdd(kept, zero, none);
        hn::Store(kept, d, end);
        std::copy_n(end, count - i, y + i);
    }
    hn::Store(none, d, end);
    return std::none_of(end, end + lanes, [](float n) { return std::isnan(n); });
}

const CastKernels* castTable() {
    static const CastKernels ofTarget{castNumbers};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(castTable);
const CastKernels& castKernels() { return *HWY_DYNAMIC_DISPATCH(castTable)(); }
} // namespace warplight::cpu
#endif
