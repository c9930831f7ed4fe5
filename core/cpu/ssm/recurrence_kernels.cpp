// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/ssm/recurrence_kernels.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/ssm/recurrence_kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {

/// Some columns of a state, whose value and output stay in registers.
template <int Vectors>
HWY_INLINE void stepColumns(const StateStep& step, int64_t column) {
    const F d;
    Vector value[Vectors], out[Vectors];
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
        value[n] = hn::LoadU(d, step.value + column + n * lanesOf);
        out[n] = hn::Zero(d);
    }
    const Vector factor = hn::Set(d, step.factor);
    float* state = step.state + column;
    for (int64_t r = 0; r < step.rows; ++r, state += step.columns) {
        const Vector key = hn::Set(d, step.key[r]), query = hn::Set(d, step.query[r]);
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n) {
            const Vector decayed = hn::Mul(factor, hn::LoadU(d, state + n * lanesOf));
            const Vector now = hn::MulAdd(key, value[n], decayed);
            hn::StoreU(now, d, state + n * lanesOf);
            out[n] = hn::MulAdd(query, now, out[n]);
        }
    }
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n)
        hn::StoreU(out[n], d, step.out + column + n * lanesOf);
}

void stepState(const StateStep& step) {
    int64_t column = 0;
    for (; column + 4 * lanesOf <= step.columns; column += 4 * lanesOf)
        stepColumns<4>(step, column);
    for (; column < step.columns; column += lanesOf)
        stepColumns<1>(step, column);
}

const RecurrenceKernels* recurrenceTable() {
    static const RecurrenceKernels ofTarget{lanesOf, stepState};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(recurrenceTable);
const RecurrenceKernels& recurrenceKernels() { return *HWY_DYNAMIC_DISPATCH(recurrenceTable)(); }
} // namespace warplight::cpu
#endif
