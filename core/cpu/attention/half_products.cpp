// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/attention/half_products.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/attention/half_products.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/microkernel-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace {

using I = hn::RebindToSigned<F>;
constexpr int64_t together = 4; ///< vectors: a chain of roundings is long, four of them side by side fill its gaps
constexpr int tensorStep = 16;  ///< products of one mma instruction

/// To f16, nearest even, as an f32.
HWY_INLINE Vector toHalf(Vector x) {
    const F d;
    const I i;
    const Vector size = hn::Abs(x);
    const auto bits = hn::BitCast(i, x);
    const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(i, 1));
    const auto up = hn::Add(hn::Add(bits, hn::Set(i, 0xfff)), odd);
    const Vector normal = hn::BitCast(d, hn::And(up, hn::Set(i, ~0x1fff)));
    // Below 2^-14 all have the distance 2^-24: that of f32 around 0.75.
    const Vector magic = hn::Set(d, 0.75f);
    const Vector subnormal = hn::CopySign(hn::Sub(hn::Add(size, magic), magic), x);
    Vector y = hn::IfThenElse(hn::Lt(size, hn::Set(d, 0x1p-14f)), subnormal, normal);
    y = hn::IfThenElse(hn::Ge(hn::Abs(y), hn::Set(d, 65536.0f)),
                       hn::CopySign(hn::Set(d, std::numeric_limits<float>::infinity()), x), y);
    return hn::IfThenElse(hn::IsNaN(x), x, y);
}

/// a · b + c rounded to f16 once: the product is exact in f32; the sum is rounded to odd there, which keeps what the
/// second rounding has to know (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
HWY_INLINE Vector multiplyAddHalf(Vector a, Vector b, Vector c) {
    const F d;
    const I i;
    const Vector product = hn::Mul(a, b), sum = hn::Add(c, product);
    const Vector back = hn::Sub(sum, c);
    const Vector error = hn::Add(hn::Sub(c, hn::Sub(sum, back)), hn::Sub(product, back));
    const auto bits = hn::BitCast(i, sum);
    // The error's sign says whether the sum was rounded towards zero (its bits stay) or away from it.
    const auto away = hn::ShiftRight<31>(hn::Xor(hn::BitCast(i, error), bits)); // -1 or 0
    const Vector toOdd = hn::BitCast(d, hn::Or(hn::Add(bits, away), hn::Set(i, 1)));
    const Vector zero = hn::Zero(d);
    const auto inexact = hn::Or(hn::Lt(error, zero), hn::Gt(error, zero)); // not where it is NaN
    return toHalf(hn::IfThenElse(inexact, toOdd, sum));
}

/// Keeps the step of those that are not finite now and were before.
template <class Steps>
HWY_INLINE void noteFirst(Vector sum, int64_t step, Steps& first) {
    const F d;
    const I i;
    const auto bad = hn::Not(hn::RebindMask(i, hn::IsFinite(sum)));
    first = hn::IfThenElse(hn::And(bad, hn::Lt(first, hn::Zero(i))), hn::Set(i, static_cast<int32_t>(step)), first);
    (void)d;
}

template <number::Sums sums>
HWY_INLINE void columnsExact(const float* x, const float* y, int64_t stride, int64_t count, float* sum,
                             int32_t* first) {
    const F d;
    const I i;
    Vector s[together];
    hn::Vec<I> at[together];
    for (int64_t n = 0; n < together; ++n) {
        s[n] = hn::Zero(d);
        at[n] = hn::Set(i, -1);
    }
    for (int64_t k = 0; k < count; ++k) {
        const Vector a = hn::Set(d, x[k]);
        const float* row = y + k * stride;
        const bool stepEnds = (k + 1) % tensorStep == 0 || k + 1 == count;
        for (int64_t n = 0; n < together; ++n) {
            const Vector b = hn::LoadU(d, row + n * lanesOf);
            if constexpr (sums == number::Sums::Half)
                s[n] = multiplyAddHalf(a, b, s[n]);
            else
                s[n] = hn::MulAdd(a, b, s[n]);
            if (sums == number::Sums::TensorHalf && stepEnds)
                s[n] = toHalf(s[n]);
            if (sums != number::Sums::TensorHalf || stepEnds)
                noteFirst(s[n], k, at[n]);
        }
    }
    for (int64_t n = 0; n < together; ++n) {
        hn::StoreU(s[n], d, sum + n * lanesOf);
        hn::StoreU(at[n], i, first + n * lanesOf);
    }
}

void exact(number::Sums sums, const float* x, const float* y, int64_t stride, int64_t count, int64_t columns,
           float* sum, int32_t* first) {
    for (int64_t j = 0; j < columns; j += together * lanesOf)
        switch (sums) {
        case number::Sums::Half:
            columnsExact<number::Sums::Half>(x, y + j, stride, count, sum + j, first + j);
            break;
        case number::Sums::TensorHalf:
            columnsExact<number::Sums::TensorHalf>(x, y + j, stride, count, sum + j, first + j);
            break;
        case number::Sums::Single:
            columnsExact<number::Sums::Single>(x, y + j, stride, count, sum + j, first + j);
            break;
        }
}

void bounded(const float* x, const float* y, int64_t stride, int64_t count, int64_t columns, int64_t every, float* sum,
             float* largest) {
    const F d;
    for (int64_t j = 0; j < columns; j += together * lanesOf) {
        Vector s[together], most[together];
        for (int64_t n = 0; n < together; ++n)
            s[n] = most[n] = hn::Zero(d);
        for (int64_t begin = 0; begin < count; begin += every) {
            for (int64_t k = begin; k < std::min(begin + every, count); ++k) {
                const Vector a = hn::Set(d, x[k]);
                for (int64_t n = 0; n < together; ++n)
                    s[n] = hn::MulAdd(a, hn::LoadU(d, y + k * stride + j + n * lanesOf), s[n]);
            }
            for (int64_t n = 0; n < together; ++n) {
                most[n] = hn::Max(most[n], hn::Abs(s[n]));
            }
        }
        for (int64_t n = 0; n < together; ++n) {
            hn::StoreU(s[n], d, sum + j + n * lanesOf);
            hn::StoreU(hn::IfThenElse(hn::IsNaN(s[n]), s[n], most[n]), d, largest + j + n * lanesOf); // NaN stays
        }
    }
}

} // namespace

const HalfProducts* halfProductsTable() {
    static const HalfProducts ofTarget{exact, bounded};
    return &ofTarget;
}

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(halfProductsTable);
const HalfProducts& halfProducts() { return *HWY_DYNAMIC_DISPATCH(halfProductsTable)(); }
} // namespace warplight::cpu
#endif
