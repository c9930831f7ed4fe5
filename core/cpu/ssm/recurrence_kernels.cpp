// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/ssm/recurrence_kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/ssm/recurrence_kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/exp2-inl.h"
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
    const StateStep c = step; // what is stored cannot change it
    const Vector factor = hn::Set(d, c.factor);
    float* state = c.state + column;
    for (int64_t r = 0; r < c.rows; ++r, state += c.columns) {
        const Vector key = hn::Set(d, c.key[r]), query = hn::Set(d, c.query[r]);
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

template <int Vectors>
HWY_INLINE void bonusColumns(const BonusStep& step, int64_t column) {
    const F d;
    Vector value[Vectors], out[Vectors];
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
        value[n] = hn::LoadU(d, step.value + column + n * lanesOf);
        out[n] = hn::Zero(d);
    }
    const BonusStep c = step; // what is stored cannot change it
    float* state = c.state + column;
    for (int64_t r = 0; r < c.rows; ++r, state += c.columns) {
        const Vector decay = hn::Set(d, c.decay[r]), key = hn::Set(d, c.key[r]), query = hn::Set(d, c.query[r]),
                     bonus = hn::Set(d, c.bonus[r]);
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n) {
            const Vector before = hn::LoadU(d, state + n * lanesOf);
            out[n] = hn::MulAdd(query, hn::MulAdd(bonus, value[n], before), out[n]);
            hn::StoreU(hn::MulAdd(key, value[n], hn::Mul(decay, before)), d, state + n * lanesOf);
        }
    }
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n)
        hn::StoreU(out[n], d, step.out + column + n * lanesOf);
}

void stepBonus(const BonusStep& step) {
    int64_t column = 0;
    for (; column + 4 * lanesOf <= step.columns; column += 4 * lanesOf)
        bonusColumns<4>(step, column);
    for (; column < step.columns; column += lanesOf)
        bonusColumns<1>(step, column);
}

/// Neighbouring vectors of complex channels, of which `count` are there: whole ones, or a part of a single one.
template <int Vectors>
HWY_INLINE void lruChannels(const LruSteps& c, int64_t channel, int64_t count) {
    const F d;
    const bool isWhole = count == Vectors * lanesOf;
    Vector re[Vectors], im[Vectors], gamma[Vectors], x[Vectors], y[Vectors];
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
        const int64_t at = channel + n * lanesOf;
        re[n] = hn::LoadU(d, c.re + at);
        im[n] = hn::LoadU(d, c.im + at);
        gamma[n] = hn::LoadU(d, c.gamma + at);
        x[n] = hn::LoadU(d, c.x + at);
        y[n] = hn::LoadU(d, c.y + at);
    }
    float buffer[2 * lanesOf] = {};
    for (int64_t step = 0; step < c.steps; ++step) {
        const float* u = c.u + step * c.stride + 2 * channel;
        float* to = c.states + step * c.stride + 2 * channel;
        if (!isWhole)
            std::copy_n(u, 2 * count, buffer);
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n) {
            Vector real, imaginary;
            hn::LoadInterleaved2(d, isWhole ? u + 2 * n * lanesOf : buffer, real, imaginary);
            real = hn::MulAdd(gamma[n], real, hn::NegMulAdd(im[n], y[n], hn::Mul(re[n], x[n])));
            y[n] = hn::MulAdd(gamma[n], imaginary, hn::MulAdd(im[n], x[n], hn::Mul(re[n], y[n])));
            x[n] = real;
            hn::StoreInterleaved2(x[n], y[n], d, isWhole ? to + 2 * n * lanesOf : buffer);
        }
        if (!isWhole)
            std::copy_n(buffer, 2 * count, to);
    }
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
        hn::StoreU(x[n], d, c.x + channel + n * lanesOf);
        hn::StoreU(y[n], d, c.y + channel + n * lanesOf);
    }
}

void stepLru(const LruSteps& c) {
    constexpr int vectors = HWY_TARGET == HWY_AVX3 ? 4 : 2; // five registers each
    int64_t channel = 0;
    for (; channel + vectors * lanesOf <= c.channels; channel += vectors * lanesOf)
        lruChannels<vectors>(c, channel, vectors * lanesOf);
    for (; channel < c.channels; channel += lanesOf)
        lruChannels<1>(c, channel, std::min(lanesOf, c.channels - channel));
}

/// e^(a - m) and e^(b - m) with m the larger of both: one of them is 1.
struct Shares {
    Vector ofA, ofB;
};
HWY_INLINE Shares sharesOf(Vector a, Vector b) {
    const F d;
    const Vector one = hn::Set(d, 1.0f);
    const Vector smaller = exp2Vector(d, hn::Mul(hn::Abs(hn::Sub(a, b)), hn::Set(d, -1.44269504f)));
    const auto isA = hn::Ge(a, b);
    return {hn::IfThenElse(isA, one, smaller), hn::IfThenElse(isA, smaller, one)};
}

template <int Vectors>
HWY_INLINE void rwkv4Channels(const Rwkv4Steps& c, int64_t channel, int64_t count) {
    const F d;
    const bool isWhole = count == Vectors * lanesOf;
    Vector p[Vectors], q[Vectors], largest[Vectors];
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
        p[n] = hn::LoadU(d, c.p + channel + n * lanesOf);
        q[n] = hn::LoadU(d, c.q + channel + n * lanesOf);
        largest[n] = hn::LoadU(d, c.largest + channel + n * lanesOf);
    }
    float keys[lanesOf] = {}, values[lanesOf] = {};
    for (int64_t step = 0; step < c.steps; ++step) {
        const int64_t row = step * c.stride + channel;
        if (!isWhole) {
            std::copy_n(c.k + row, count, keys);
            std::copy_n(c.v + row, count, values);
        }
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; ++n) {
            const int64_t at = n * lanesOf;
            const Vector k = hn::LoadU(d, isWhole ? c.k + row + at : keys),
                         v = hn::LoadU(d, isWhole ? c.v + row + at : values);
            const Shares now = sharesOf(largest[n], hn::Add(hn::LoadU(d, c.u + channel + at), k));
            const Vector o =
                hn::Div(hn::MulAdd(now.ofA, p[n], hn::Mul(now.ofB, v)), hn::MulAdd(now.ofA, q[n], now.ofB));
            hn::StoreU(o, d, isWhole ? c.o + row + at : values);
            const Vector faded = hn::Add(largest[n], hn::LoadU(d, c.w + channel + at));
            const Shares next = sharesOf(faded, k);
            p[n] = hn::MulAdd(next.ofA, p[n], hn::Mul(next.ofB, v));
            q[n] = hn::MulAdd(next.ofA, q[n], next.ofB);
            largest[n] = hn::IfThenElse(hn::Ge(faded, k), faded, k);
        }
        if (!isWhole)
            std::copy_n(values, count, c.o + row);
    }
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
        hn::StoreU(p[n], d, c.p + channel + n * lanesOf);
        hn::StoreU(q[n], d, c.q + channel + n * lanesOf);
        hn::StoreU(largest[n], d, c.largest + channel + n * lanesOf);
    }
}

void stepRwkv4(const Rwkv4Steps& c) {
    constexpr int vectors = HWY_TARGET == HWY_AVX3 ? 4 : 2;
    int64_t channel = 0;
    for (; channel + vectors * lanesOf <= c.channels; channel += vectors * lanesOf)
        rwkv4Channels<vectors>(c, channel, vectors * lanesOf);
    for (; channel < c.channels; channel += lanesOf)
        rwkv4Channels<1>(c, channel, std::min(lanesOf, c.channels - channel));
}

const RecurrenceKernels* recurrenceTable() {
    static const RecurrenceKernels ofTarget{lanesOf, stepState, stepBonus, stepLru, stepRwkv4};
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
