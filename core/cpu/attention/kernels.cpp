// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/attention/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/attention/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/attention/bf16-inl.h"
#include "core/cpu/attention/softmax-inl.h"
#include "core/cpu/attention/strip-inl.h"
#include "core/cpu/exp2-inl.h"
#include "gpu/number/half.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
void flashBlock(const BlockArgs& args, const RowState& state) {
    HWY_ALIGN float s[stripRows * blockKeys];
    for (int64_t begin = 0; begin < args.rows; begin += stripRows) {
        const int64_t rows = std::min(stripRows, args.rows - begin);
        // The last row of the strip sees most.
        const int64_t visible = std::clamp<int64_t>(args.firstHidden + begin + rows - 1, 0, args.keys);
        if (visible == 0) {
            if (args.trueMax)
                std::fill_n(args.trueMax + begin, rows, minusInfinity);
            if (args.seenScores)
                std::fill_n(args.seenScores + begin * blockKeys, rows * blockKeys, minusInfinity);
            continue;
        }
        scores(state.query + begin * args.headDim, rows, args.headDim, args.packedKeys, visible, s, blockKeys);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t row = begin + r;
            float* scoresOfRow = s + r * blockKeys;
            const int64_t seen = std::clamp<int64_t>(args.firstHidden + row, 0, visible);
            std::fill(scoresOfRow + seen, scoresOfRow + blockKeys, minusInfinity);
            if (args.trueMax)
                args.trueMax[row] = *std::max_element(scoresOfRow, scoresOfRow + blockKeys);
            if (args.seenScores)
                std::copy_n(scoresOfRow, blockKeys, args.seenScores + row * blockKeys);
            softmaxInStrip(scoresOfRow, args.lazyThreshold, state.max[row], state.sum + row * lanesOf,
                           state.output + row * state.outputStride, state.outputStride);
        }
        accumulateSeen(s, blockKeys, rows, args.values, args.valueStride, visible, args.firstHidden + begin,
                       state.output + begin * state.outputStride, state.outputStride, state.outputStride);
    }
}

void softmaxRow(const float* s, float* p, int64_t count, float& max, float& sum) {
    const F d;
    float largest = minusInfinity;
    int64_t j = 0;
    Vector lanesMax = hn::Set(d, minusInfinity);
    for (; j + lanesOf <= count; j += lanesOf)
        lanesMax = hn::Max(lanesMax, hn::LoadU(d, s + j));
    largest = hn::GetLane(hn::MaxOfLanes(d, lanesMax));
    for (int64_t t = j; t < count; ++t)
        largest = std::max(largest, s[t]);
    const float base = largest == minusInfinity ? 0.0f : largest;
    const Vector m = hn::Set(d, base);
    Vector total = hn::Zero(d);
    for (j = 0; j + lanesOf <= count; j += lanesOf) {
        const Vector e = exp2Vector(d, hn::Sub(hn::LoadU(d, s + j), m));
        hn::StoreU(e, d, p + j);
        total = hn::Add(total, e);
    }
    sum = hn::GetLane(hn::SumOfLanes(d, total));
    for (; j < count; ++j)
        sum += p[j] = std::exp2(s[j] - base);
    max = largest;
}

void onlineRow(const float* q, const float* k, const float* v, int64_t keys, int64_t headDim, float* o, float& max,
               float& sum) {
    const F d;
    max = minusInfinity;
    sum = 0;
    std::memset(o, 0, sizeof(float) * static_cast<size_t>(headDim));
    for (int64_t j = 0; j < keys; ++j) {
        const float s = dot(q, k + j * headDim, headDim);
        const float newMax = s > max || std::isnan(s) ? s : max;
        const float keep = max == newMax ? 1.0f : std::exp2(max - newMax); // a first -inf gives 2^-inf = 0
        const float p = s == minusInfinity ? 0.0f : std::exp2(s - newMax);
        sum = sum * keep + p;
        max = newMax;
        int64_t c = 0;
        const Vector keepAll = hn::Set(d, keep), weight = hn::Set(d, p);
        for (; c + lanesOf <= headDim; c += lanesOf) {
            const Vector scaled = hn::Mul(hn::LoadU(d, o + c), keepAll);
            hn::StoreU(hn::MulAdd(weight, hn::LoadU(d, v + j * headDim + c), scaled), d, o + c);
        }
        for (; c < headDim; ++c)
            o[c] = o[c] * keep + p * v[j * headDim + c];
    }
}

void statisticsBlock(const float* s, float& max, float* sums, float* weighted) {
    const F d;
    Vector largest = hn::LoadU(d, s);
    for (int64_t j = lanesOf; j < blockKeys; j += lanesOf)
        largest = hn::Max(largest, hn::LoadU(d, s + j));
    const float newMax = std::max(max, hn::GetLane(hn::MaxOfLanes(d, largest))); // a NaN is told by the sums
    Vector total = hn::LoadU(d, sums), moment = hn::LoadU(d, weighted);
    if (newMax > max) {
        // Σ p·(s - max') = f·(Σ p·(s - max) + (max - max')·Σ p) with f = 2^(max - max')
        const Vector f = hn::Set(d, max == minusInfinity ? 0.0f : std::exp2(max - newMax));
        const Vector shift = hn::Set(d, max == minusInfinity ? 0.0f : max - newMax);
        moment = hn::Mul(f, hn::MulAdd(shift, total, moment));
        total = hn::Mul(f, total);
        max = newMax;
    }
    const Vector m = hn::Set(d, max == minusInfinity ? 0.0f : max), floor = hn::Set(d, -150.0f);
    for (int64_t j = 0; j < blockKeys; j += lanesOf) {
        // Below the floor p is 0 and p·(s - max) must be 0 as well, not 0·inf.
        const Vector below = notBelow(floor, hn::Sub(hn::LoadU(d, s + j), m));
        const Vector p = exp2Vector(d, below);
        total = hn::Add(total, p);
        moment = hn::MulAdd(p, below, moment);
    }
    hn::StoreU(total, d, sums);
    hn::StoreU(moment, d, weighted);
}

float probabilitiesBlock(const float* s, float shift, float* p, float* ofKey, float& largest) {
    const F d;
    const Vector m = hn::Set(d, shift);
    Vector total = hn::Zero(d), most = hn::Zero(d);
    for (int64_t j = 0; j < blockKeys; j += lanesOf) {
        const Vector e = exp2Vector(d, hn::Sub(hn::LoadU(d, s + j), m));
        hn::StoreU(e, d, p + j);
        hn::StoreU(hn::Add(hn::LoadU(d, ofKey + j), e), d, ofKey + j);
        total = hn::Add(total, e);
        most = hn::Max(most, e);
    }
    largest = hn::GetLane(hn::MaxOfLanes(d, most));
    return hn::GetLane(hn::SumOfLanes(d, total));
}

void roundToBf16(const float* x, float* y, int64_t count) {
    const F d;
    const hn::RebindToUnsigned<F> du;
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf) {
        const Vector value = hn::LoadU(d, x + i);
        const auto bits = hn::BitCast(du, value);
        const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
        const auto up = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fff)));
        const auto rounded = hn::And(up, hn::Set(du, 0xffff0000u));
        hn::StoreU(hn::IfThenElse(hn::IsNaN(value), value, hn::BitCast(d, rounded)), d, y + i);
    }
    for (; i < count; ++i)
        y[i] = number::bf16ToFloat(number::floatToBf16(x[i]));
}

void exp2Array(const float* x, float* y, int64_t count) {
    const F d;
    float buffer[lanesOf];
    for (int64_t i = 0; i < count; i += lanesOf) {
        const int64_t here = std::min<int64_t>(lanesOf, count - i);
        std::fill_n(buffer, lanesOf, 0.0f);
        std::copy_n(x + i, here, buffer);
        hn::StoreU(exp2Vector(d, hn::LoadU(d, buffer)), d, buffer);
        std::copy_n(buffer, here, y + i);
    }
}

const Kernels* table() {
    static const Kernels kernelsOfTarget{lanesOf,     panelKeys,  packKeys,     scores,          accumulateSeen,
                                         flashBlock,  softmaxRow, onlineRow,    statisticsBlock, probabilitiesBlock,
                                         roundToBf16, exp2Array,  bf16Kernels()};
    return &kernelsOfTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(table);
const Kernels& kernels() { return *HWY_DYNAMIC_DISPATCH(table)(); }
} // namespace warplight::cpu
#endif
