// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/reduction.h"

#include "core/error.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <stdexcept>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/collectives/reduction.cpp"
// The targets of core/cpu/attention/kernels.cpp.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | (HWY_AVX3 - 1))
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/collectives/half-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::collectives::HWY_NAMESPACE {

struct Sum {
    template <class V>
    V operator()(V a, V b) const {
        return hn::Add(a, b);
    }
};

/// The same whichever comes first, so that partners end alike: +0 is larger than -0, and there is one NaN.
struct Max {
    template <class V>
    V operator()(V a, V b) const {
        const hn::DFromV<V> d;
        const V equal = hn::And(a, b), other = hn::IfThenElse(hn::Lt(b, a), a, equal);
        const V largest = hn::IfThenElse(hn::Lt(a, b), b, other);
        const V nan = hn::Set(d, std::numeric_limits<hn::TFromD<decltype(d)>>::quiet_NaN());
        return hn::IfThenElse(hn::Or(hn::IsNaN(a), hn::IsNaN(b)), nan, largest);
    }
};

template <class Op, class V>
V onEach(Op op, V a, V b) {
    return op(a, b);
}
template <class Op>
FloatPair onEach(Op op, FloatPair a, FloatPair b) {
    return {op(a.even, b.even), op(a.odd, b.odd)};
}

/// into[i] = op(into[i], from[i]) in the format's vectors; the last few by way of a vector of their own.
template <class Format, class Op>
void applyAll(void* intoBytes, const void* fromBytes, int64_t elements, Op op) {
    using Value = typename Format::Value;
    auto* into = static_cast<Value*>(intoBytes);
    const auto* from = static_cast<const Value*>(fromBytes);
    const typename Format::Tag d;
    const auto width = static_cast<int64_t>(hn::Lanes(d) * Format::perLane);
    int64_t i = 0;
    for (; i + 2 * width <= elements; i += 2 * width) {
        const auto first = onEach(op, Format::load(into + i), Format::load(from + i));
        const auto second = onEach(op, Format::load(into + i + width), Format::load(from + i + width));
        Format::store(first, into + i);
        Format::store(second, into + i + width);
    }
    HWY_ALIGN Value a[hn::MaxLanes(d) * Format::perLane] = {}, b[hn::MaxLanes(d) * Format::perLane] = {};
    for (; i < elements; i += width) {
        const auto bytes = static_cast<size_t>(std::min(width, elements - i)) * sizeof(Value);
        std::memcpy(a, into + i, bytes);
        std::memcpy(b, from + i, bytes);
        Format::store(onEach(op, Format::load(a), Format::load(b)), a);
        std::memcpy(into + i, a, bytes);
    }
}

template <class Format>
void combineAs(bool isMax, void* into, const void* from, int64_t elements) {
    if (isMax)
        applyAll<Format>(into, from, elements, Max());
    else
        applyAll<Format>(into, from, elements, Sum());
}

void combineOnTarget(number::Format type, bool isMax, void* into, const void* from, int64_t elements) {
    switch (type) {
    case number::Format::F64:
        return combineAs<Plain<double>>(isMax, into, from, elements);
    case number::Format::F16:
        return combineAs<F16>(isMax, into, from, elements);
    case number::Format::BF16:
        return combineAs<Bf16>(isMax, into, from, elements);
    default:
        return combineAs<Plain<float>>(isMax, into, from, elements);
    }
}

template <class Format>
void divideAs(void* values, int64_t elements, double divisor) {
    const typename Format::Tag d;
    const auto by = hn::Set(d, static_cast<hn::TFromD<decltype(d)>>(divisor));
    applyAll<Format>(values, values, elements, [&](auto a, auto) HWY_ATTR { return hn::Div(a, by); });
}

void divideOnTarget(number::Format type, void* values, int64_t elements, double divisor) {
    switch (type) {
    case number::Format::F64:
        return divideAs<Plain<double>>(values, elements, divisor);
    case number::Format::F16:
        return divideAs<F16>(values, elements, divisor);
    case number::Format::BF16:
        return divideAs<Bf16>(values, elements, divisor);
    default:
        return divideAs<Plain<float>>(values, elements, divisor);
    }
}

} // namespace warplight::collectives::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::collectives {
namespace {

HWY_EXPORT(combineOnTarget);
HWY_EXPORT(divideOnTarget);

void check(number::Format type, int64_t elements) {
    using enum number::Format;
    if (type != F32 && type != F64 && type != F16 && type != BF16)
        throw std::logic_error("elements of this type cannot be combined");
    if (elements < 0)
        throw std::logic_error("a negative number of elements");
}

/// A quotient of two short numbers rounded to f32 and then to 16 bits is rounded right as long as the divisor has fewer
/// bits than f32 has more than the type (with one to spare for halves): 24 - 11 - 1.
constexpr double largestShortDivisor = 4096;

bool isShort(double divisor) {
    return divisor >= 1 && divisor <= largestShortDivisor && divisor == static_cast<double>(static_cast<int>(divisor));
}

/// Any other divisor, one by one in f64.
void divideSlowly(number::Format type, void* values, int64_t elements, double divisor) {
    for (int64_t i = 0; i < elements; ++i) {
        if (type == number::Format::F32) {
            float& value = static_cast<float*>(values)[i];
            value = static_cast<float>(static_cast<double>(value) / divisor);
            continue;
        }
        uint16_t& bits = static_cast<uint16_t*>(values)[i];
        const bool isHalf = type == number::Format::F16;
        const float value = isHalf ? number::f16ToFloat(bits) : number::bf16ToFloat(bits);
        // Rounded to odd, so that rounding once more to 16 bits is as if it were the first time.
        const double quotient = static_cast<double>(value) / divisor;
        float narrow = static_cast<float>(quotient);
        if (static_cast<double>(narrow) != quotient && std::isfinite(narrow)) {
            if (std::fabs(static_cast<double>(narrow)) > std::fabs(quotient))
                narrow = std::bit_cast<float>(std::bit_cast<uint32_t>(narrow) - 1); // towards zero
            narrow = std::bit_cast<float>(std::bit_cast<uint32_t>(narrow) | 1);
        }
        bits = isHalf ? number::floatToF16(narrow) : number::floatToBf16(narrow);
    }
}

} // namespace

number::Format elementType(std::string_view name) {
    using enum number::Format;
    for (const number::Format type : {F32, F64, F16, BF16})
        if (number::name(type) == name)
            return type;
    throw InputError(fmt::format("element type '{}' cannot be combined, expected one of f32, f64, f16, bf16", name));
}

Reduction reductionOf(std::string_view name) {
    if (name == "sum")
        return Reduction::Sum;
    if (name == "max")
        return Reduction::Max;
    if (name == "average")
        return Reduction::Average;
    throw InputError(fmt::format("reduction '{}' is not known, expected one of sum, max, average", name));
}

void combine(number::Format type, Reduction reduction, void* into, const void* from, int64_t elements) {
    check(type, elements);
    HWY_DYNAMIC_DISPATCH(combineOnTarget)(type, reduction == Reduction::Max, into, from, elements);
}

void divide(number::Format type, void* values, int64_t elements, double divisor) {
    check(type, elements);
    if (type == number::Format::F64 || isShort(divisor))
        HWY_DYNAMIC_DISPATCH(divideOnTarget)(type, values, elements, divisor);
    else
        divideSlowly(type, values, elements, divisor);
}

} // namespace warplight::collectives
#endif
