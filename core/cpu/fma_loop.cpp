// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/fma_loop.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/fma_loop.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
double multiplyAndAdd(int64_t iterations, float* sink) {
    const F d;
    constexpr int chains = HWY_TARGET == HWY_AVX3 ? 24 : 12; // latency × pipes, and still all in registers
    Vector sums[chains];
    for (int c = 0; c < chains; ++c)
        sums[c] = hn::Set(d, static_cast<float>(c));
    const Vector a = hn::Set(d, 0.999f), b = hn::Set(d, 0.001f);
    for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 24
        for (int c = 0; c < chains; ++c)
            sums[c] = hn::MulAdd(sums[c], a, b);
    Vector total = sums[0];
    for (int c = 1; c < chains; ++c)
        total = hn::Add(total, sums[c]);
    *sink += hn::GetLane(hn::SumOfLanes(d, total));
    return 2.0 * chains * static_cast<double>(lanesOf) * static_cast<double>(iterations);
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(multiplyAndAdd);
double fmaLoop(int64_t iterations, float* sink) { return HWY_DYNAMIC_DISPATCH(multiplyAndAdd)(iterations, sink); }
} // namespace warplight::cpu
#endif
