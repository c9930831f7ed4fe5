// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/sums.h"

#include "core/error.h"
#include "core/precision/arithmetic.h"
#include "core/precision/sum_orders.h"
#include "gpu/number/float_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

namespace warplight::precision {
namespace {

constexpr NamedOrder named[] = {
    {SumOrder::Serial, "serial", "serial"},       {SumOrder::Chunked, "chunked", "chunked"},
    {SumOrder::Pairwise, "pairwise", "pairwise"}, {SumOrder::WarpTree, "warp-tree", "warp tree"},
    {SumOrder::Kahan, "kahan", "Kahan"},          {SumOrder::TensorCore, "tensor-core", "tensor core"}};

constexpr size_t piece = 1 << 16; ///< terms between two looks at the wish to cancel

/// Whether the terms from `first` on add up to that much.
bool addUpTo(double enough, size_t first, std::span<const float> a, std::span<const float> b,
             const std::atomic<bool>* cancel) {
    double sum = 0;
    for (size_t i = first; i < a.size() && std::fabs(sum) < enough; ++i) {
        if (i % piece == 0)
            checkCancelled(cancel);
        sum += static_cast<double>(a[i]) * (b.empty() ? 1 : static_cast<double>(b[i]));
    }
    return std::fabs(sum) >= enough;
}

template <class Order>
SumCourse courseOf(Order order, const number::FloatFormat& accumulator, std::span<const float> a,
                   std::span<const float> b, std::span<const int64_t> lengths, const std::atomic<bool>* cancel) {
    SumCourse course;
    auto sum = order.value();
    size_t lastChange = 0;
    auto next = lengths.begin();
    for (size_t i = 0; i < a.size(); ++i) {
        if (i % piece == 0)
            checkCancelled(cancel);
        order.add(Order::input(a[i]), b.empty() ? 1 : Order::input(b[i]));
        if (const auto now = order.value(); now != sum && !std::isnan(sum)) { // once NaN, for ever NaN
            sum = now;
            lastChange = i + 1;
            if (!course.overflowsAt && !std::isfinite(now))
                course.overflowsAt = static_cast<int64_t>(lastChange);
        }
        if (next != lengths.end() && static_cast<int64_t>(i) + 1 == *next) {
            course.sums.push_back(static_cast<double>(sum));
            ++next;
        }
    }
    course.sum = static_cast<double>(sum);
    course.operations = order.operations();
    if (!course.overflowsAt &&
        addUpTo(SumCourse::unitsThatTell * number::spacing(course.sum, accumulator), lastChange, a, b, cancel))
        course.stagnatesAfter = static_cast<int64_t>(lastChange);
    return course;
}

template <class A, bool products>
SumCourse courseIn(A /*arithmetic*/, const HowToSum& how, std::span<const float> a, std::span<const float> b,
                   std::span<const int64_t> lengths, const std::atomic<bool>* cancel) {
    const number::FloatFormat& accumulator = number::floatFormat(number::name(how.accumulator));
    const auto course = [&](auto order) { return courseOf(order, accumulator, a, b, lengths, cancel); };
    switch (how.order) {
    case SumOrder::Serial:
        break;
    case SumOrder::Chunked:
        return course(orders::Chunked<A, products>(how.chunk));
    case SumOrder::Pairwise:
        return course(orders::Pairwise<A, products>(how.chunk));
    case SumOrder::WarpTree:
        return course(orders::WarpTree<A, products>(how.chunk));
    case SumOrder::Kahan:
        return course(orders::Kahan<A, products>(how.chunk));
    case SumOrder::TensorCore:
        return course(orders::TensorCore<A, products>(how.chunk));
    }
    return course(orders::Serial<A, products>(how.chunk));
}

} // namespace

std::span<const NamedOrder> sumOrders() { return named; }

bool hasTensorCoreInstruction(number::Format inputs, number::Format accumulator) {
    return accumulator == number::Format::F32 || (accumulator == number::Format::F16 && inputs == number::Format::F16);
}

SumCourse sumInOrder(std::span<const float> a, std::span<const float> b, const HowToSum& how,
                     std::span<const int64_t> lengths, const std::atomic<bool>* cancel) {
    return withArithmetic(how.accumulator, [&](auto arithmetic) {
        using A = decltype(arithmetic);
        return b.empty() ? courseIn<A, false>(arithmetic, how, a, b, lengths, cancel)
                         : courseIn<A, true>(arithmetic, how, a, b, lengths, cancel);
    });
}

ExactCourse sumExactly(std::span<const float> a, std::span<const float> b, std::span<const int64_t> lengths,
                       const std::atomic<bool>* cancel) {
    ExactCourse course;
    ExactSum sum, size;
    auto next = lengths.begin();
    for (size_t i = 0; i < a.size() && next != lengths.end(); ++i) {
        if (i % piece == 0)
            checkCancelled(cancel);
        const double term = static_cast<double>(a[i]) * (b.empty() ? 1 : static_cast<double>(b[i]));
        sum.add(term);
        size.add(std::fabs(term));
        if (static_cast<int64_t>(i) + 1 == *next) {
            course.sums.push_back(sum);
            course.sizes.push_back(size.value());
            ++next;
        }
    }
    return course;
}

} // namespace warplight::precision
