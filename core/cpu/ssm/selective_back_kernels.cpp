// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/ssm/selective_back_kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/ssm/selective_back_kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/lane_rows-inl.h"
#include "core/cpu/ssm/selective-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace {

/// What both directions begin with: rows to lanes, Δ, and the states and decays of all steps.
struct BackPlaces {
    float *u, *delta, *size, *z, *dy, *ddelta, *decays, *states;

    explicit BackPlaces(const BackTile& p) {
        float* next = p.scratch;
        for (float** place : {&u, &delta, &size, &z, &dy, &ddelta}) {
            *place = next;
            next += backSteps * lanesOf;
        }
        decays = next;
        states = decays + backSteps * p.state * lanesOf;
    }
};

void rowsToLanes(const BackTile& p, const float* from, float* to) {
    if (p.channels == lanesOf)
        return intoLanes(from, p.stride, p.steps, to);
    for (int64_t t = 0; t < p.steps; ++t)
        for (int64_t lane = 0; lane < lanesOf; ++lane)
            to[t * lanesOf + lane] = lane < p.channels ? from[lane * p.stride + t] : 0;
}
void lanesToRows(const BackTile& p, const float* from, float* to) {
    if (p.channels == lanesOf)
        return fromLanes(from, to, p.stride, p.steps);
    for (int64_t t = 0; t < p.steps; ++t)
        for (int64_t lane = 0; lane < p.channels; ++lane)
            to[lane * p.stride + t] = from[t * lanesOf + lane];
}

void forwardAgain(const BackTile& p, const BackPlaces& at, bool keeps) {
    const F d;
    rowsToLanes(p, p.u, at.u);
    rowsToLanes(p, p.delta, at.delta);
    for (int64_t t = 0; t < p.steps; ++t) {
        const Vector now = hn::Add(hn::Load(d, at.delta + t * lanesOf), hn::Load(d, p.bias));
        hn::Store(now, d, at.delta + t * lanesOf);
        hn::Store(p.softplus ? softplus(now) : now, d, at.size + t * lanesOf);
    }
    float* states = keeps ? at.states : p.h;
    if (keeps)
        std::copy_n(p.h, p.state * lanesOf, states);
    for (int64_t t = 0; t < p.steps; ++t) {
        const Vector size = hn::Load(d, at.size + t * lanesOf), in = hn::Mul(size, hn::Load(d, at.u + t * lanesOf));
        float* next = keeps ? states + p.state * lanesOf : states;
        for (int64_t n = 0; n < p.state; ++n) {
            const Vector decay = decayOf(hn::Mul(size, hn::Load(d, p.a + n * lanesOf)));
            if (keeps)
                hn::Store(decay, d, at.decays + (t * p.state + n) * lanesOf);
            const Vector h = hn::Load(d, states + n * lanesOf);
            hn::Store(hn::MulAdd(decay, h, hn::Mul(in, hn::Set(d, p.b[t * p.state + n]))), d, next + n * lanesOf);
        }
        states = next;
    }
}

void advanceTile(const BackTile& p) { forwardAgain(p, BackPlaces(p), false); }

void backTile(const BackTile& p) {
    const F d;
    const BackPlaces at(p);
    forwardAgain(p, at, true);
    rowsToLanes(p, p.dy, at.dy);
    if (p.z)
        rowsToLanes(p, p.z, at.z);
    const auto there = hn::FirstN(d, static_cast<size_t>(p.channels));
    const bool whole = p.channels == lanesOf;
    const auto add = [&](float* to, Vector x) {
        hn::Store(hn::Add(hn::Load(d, to), whole ? x : hn::IfThenElseZero(there, x)), d, to);
    };
    const Vector skip = p.d ? hn::Load(d, p.d) : hn::Zero(d), one = hn::Set(d, 1.0f);
    for (int64_t t = p.steps - 1; t >= 0; --t) {
        const float *before = at.states + t * p.state * lanesOf, *after = before + p.state * lanesOf,
                    *decays = at.decays + t * p.state * lanesOf, *b = p.b + t * p.state, *c = p.c + t * p.state;
        const Vector u = hn::Load(d, at.u + t * lanesOf), size = hn::Load(d, at.size + t * lanesOf),
                     in = hn::Mul(size, u);
        Vector dp = hn::Load(d, at.dy + t * lanesOf);
        if (p.z) {
            Vector y = p.d ? hn::Mul(skip, u) : hn::Zero(d);
            for (int64_t n = 0; n < p.state; ++n)
                y = hn::MulAdd(hn::Set(d, c[n]), hn::Load(d, after + n * lanesOf), y);
            const Vector z = hn::Load(d, at.z + t * lanesOf), gate = sigmoidVector(d, z);
            const Vector slope = hn::Mul(gate, hn::MulAdd(z, hn::Sub(one, gate), one));
            hn::Store(hn::Mul(hn::Mul(dp, y), slope), d, at.z + t * lanesOf);
            dp = hn::Mul(dp, hn::Mul(z, gate));
        }
        float *db = p.db + t * p.state * lanesOf, *dc = p.dc + t * p.state * lanesOf;
        Vector read = hn::Zero(d), decayed = hn::Zero(d);
        for (int64_t n = 0; n < p.state; ++n) {
            const int64_t lane = n * lanesOf;
            const Vector decay = hn::Load(d, decays + lane),
                         dh = hn::MulAdd(hn::Set(d, c[n]), dp, hn::Load(d, p.carry + lane)),
                         back = hn::Mul(dh, hn::Mul(decay, hn::Load(d, before + lane)));
            add(dc + lane, hn::Mul(dp, hn::Load(d, after + lane)));
            add(db + lane, hn::Mul(in, dh));
            read = hn::MulAdd(hn::Set(d, b[n]), dh, read);
            decayed = hn::MulAdd(hn::Load(d, p.a + lane), back, decayed);
            hn::Store(hn::MulAdd(size, back, hn::Load(d, p.da + lane)), d, p.da + lane);
            hn::Store(hn::Mul(decay, dh), d, p.carry + lane);
        }
        const Vector du = hn::Mul(size, read);
        hn::Store(p.d ? hn::MulAdd(skip, dp, du) : du, d, at.dy + t * lanesOf);
        Vector ddelta = hn::MulAdd(u, read, hn::Mul(decayed, hn::Set(d, 1 / log2e)));
        if (p.softplus)
            ddelta = hn::Mul(ddelta, sigmoidVector(d, hn::Load(d, at.delta + t * lanesOf)));
        hn::Store(ddelta, d, at.ddelta + t * lanesOf);
        hn::Store(hn::MulAdd(dp, u, hn::Load(d, p.dd)), d, p.dd);
        hn::Store(hn::Add(ddelta, hn::Load(d, p.dbias)), d, p.dbias);
    }
    lanesToRows(p, at.dy, p.du);
    lanesToRows(p, at.ddelta, p.ddelta);
    if (p.z)
        lanesToRows(p, at.z, p.dz);
}

void sumLanes(const float* x, int64_t count, float* y) {
    for (int64_t i = 0; i < count; ++i)
        y[i] = hn::GetLane(hn::SumOfLanes(F(), hn::Load(F(), x + i * lanesOf)));
}

} // namespace

const SelectiveBackKernels* selectiveBackTable() {
    static const SelectiveBackKernels ofTarget{lanesOf, advanceTile, backTile, sumLanes, transposeRows};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(selectiveBackTable);
const SelectiveBackKernels& selectiveBackKernels() { return *HWY_DYNAMIC_DISPATCH(selectiveBackTable)(); }
} // namespace warplight::cpu
#endif
