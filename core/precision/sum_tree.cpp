// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/sum_tree.h"

#include "core/precision/arithmetic.h"
#include "core/precision/exact_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <utility>

namespace warplight::precision {
namespace {

using Node = std::optional<size_t>; ///< none: an empty sum, 0

template <class A>
class Builder {
  public:
    using Number = typename A::Number;

    Builder(std::span<const float> a, std::span<const float> b, const HowToSum& how)
        : count(a.size()), products(!b.empty()), how(how) {
        const bool cut = how.order == SumOrder::TensorCore; // to TF32; changes no f16 and no bf16 number
        const auto input = [cut](float x) {
            return cut ? static_cast<double>(std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xffffe000u))
                       : static_cast<double>(A::rounded(static_cast<Number>(x)));
        };
        for (size_t i = 0; i < count; ++i) {
            left.push_back(input(a[i]));
            right.push_back(products ? input(b[i]) : 1);
            SumNode term;
            term.value = left.back() * right.back();
            term.column = static_cast<double>(i);
            tree.nodes.push_back(std::move(term));
        }
    }

    SumTree make() {
        tree.sum = whole();
        for (const SumNode& node : tree.nodes) {
            tree.rows = std::max(tree.rows, node.row + 1);
            tree.steps = std::max(tree.steps, node.step);
        }
        return std::move(tree);
    }

  private:
    size_t whole() {
        switch (how.order) {
        case SumOrder::Serial:
            break;
        case SumOrder::Chunked:
            return chunked();
        case SumOrder::Pairwise:
            return pairwise(0, count);
        case SumOrder::WarpTree:
            return warpTree();
        case SumOrder::Kahan:
            return kahan();
        case SumOrder::TensorCore:
            return tensorCore();
        }
        return serial(0, count);
    }

    double valueOf(Node node) const { return node ? tree.nodes[*node].value : 0; }
    int rowOf(Node node) const { return node ? tree.nodes[*node].row : 0; }
    int stepOf(Node node) const { return node ? tree.nodes[*node].step : 0; }

    /// A node below those it was made of.
    size_t put(double value, double lost, std::initializer_list<Node> from, double column) {
        SumNode node;
        node.value = value;
        node.lost = lost;
        node.column = column;
        for (const Node one : from)
            if (one) {
                node.from.push_back(*one);
                node.row = std::max(node.row, rowOf(one) + 1);
                node.step = std::max(node.step, stepOf(one) + 1);
            }
        tree.nodes.push_back(std::move(node));
        return tree.nodes.size() - 1;
    }

    static double lostOf(std::initializer_list<double> summands, double value) {
        if (!std::isfinite(value))
            return 0;
        ExactSum exact;
        for (const double x : summands) {
            if (!std::isfinite(x))
                return 0;
            exact.add(x);
        }
        return -exact.differenceFrom(value);
    }

    static double added(double x, double y) {
        return static_cast<double>(A::add(static_cast<Number>(x), static_cast<Number>(y)));
    }

    /// sign · the one + the other's.
    size_t add(Node one, Node other, double column, double sign = 1) {
        const double x = sign * valueOf(one), y = valueOf(other), value = added(x, y);
        return put(value, lostOf({x, y}, value), {one, other}, column);
    }

    /// The sum and term i: fused, where that is a product.
    size_t addTerm(Node sum, size_t i, double sign = 1) {
        if (!products)
            return add(sum, i, static_cast<double>(i), sign);
        const double before = sign * valueOf(sum);
        const auto value = static_cast<double>(
            A::multiplyAdd(static_cast<Number>(left[i]), static_cast<Number>(right[i]), static_cast<Number>(before)));
        return put(value, lostOf({before, tree.nodes[i].value}, value), {sum, i}, static_cast<double>(i));
    }

    size_t leaf(size_t i) { return products ? addTerm({}, i) : i; }

    size_t serial(size_t begin, size_t end, Node sum = {}) {
        for (size_t i = begin; i < end; ++i)
            sum = sum ? addTerm(sum, i) : leaf(i);
        return *sum;
    }

    size_t chunked() {
        const auto chunk = static_cast<size_t>(how.chunk);
        size_t sum = 0;
        for (size_t begin = 0; begin < count; begin += chunk) {
            const size_t part = serial(begin, std::min(count, begin + chunk));
            sum = begin == 0 ? part : add(sum, part, tree.nodes[part].column);
        }
        return sum;
    }

    size_t pairwise(size_t begin, size_t end) {
        if (end - begin == 1)
            return leaf(begin);
        const size_t middle = begin + std::bit_floor(end - begin - 1);
        const size_t one = pairwise(begin, middle), other = pairwise(middle, end);
        return add(one, other, (tree.nodes[one].column + tree.nodes[other].column) / 2);
    }

    size_t warpTree() {
        std::vector<Node> lanes(32);
        for (size_t i = 0; i < count; ++i)
            lanes[i] = leaf(i);
        for (size_t half = 16; half > 0; half /= 2)
            for (size_t lane = 0; lane < half; ++lane)
                if (lanes[lane + half])
                    lanes[lane] = add(lanes[lane], lanes[lane + half], static_cast<double>(lane));
        return *lanes[0];
    }

    /// Three rows: the term without what was lost before, the sum, what it lost. A step is a term.
    size_t kahan() {
        Node sum, lost;
        for (size_t i = 0; i < count; ++i) {
            const auto column = static_cast<double>(i);
            const size_t term = addTerm(lost, i, -1), more = add(sum, term, column);
            const double gained = added(valueOf(more), -valueOf(sum));
            const size_t rest = put(added(gained, -valueOf(term)), 0, {more, term}, column);
            int row = 0;
            for (const size_t node : {term, more, rest}) {
                tree.nodes[node].row = ++row;
                tree.nodes[node].step = static_cast<int>(i) + 1;
            }
            sum = more;
            lost = rest;
        }
        return *sum;
    }

    /// In f32, and rounded to the accumulator's format after each 16.
    size_t tensorCore() {
        Node sum;
        for (size_t begin = 0; begin < count; begin += 16) {
            sum = serial(begin, std::min(count, begin + 16), sum);
            if (how.accumulator == number::Format::F32)
                continue;
            const double given = valueOf(sum);
            const double value = withArithmetic(how.accumulator, [given](auto format) {
                return static_cast<double>(format.rounded(static_cast<typename decltype(format)::Number>(given)));
            });
            sum = put(value, lostOf({given}, value), {sum}, tree.nodes[*sum].column);
        }
        return *sum;
    }

    size_t count;
    bool products;
    HowToSum how;
    std::vector<double> left, right; ///< the factors; of a sum the terms and ones
    SumTree tree;
};

} // namespace

SumTree sumTree(std::span<const float> a, std::span<const float> b, const HowToSum& how) {
    const auto format = how.order == SumOrder::TensorCore ? number::Format::F32 : how.accumulator;
    return withArithmetic(format, [&](auto arithmetic) { return Builder<decltype(arithmetic)>(a, b, how).make(); });
}

} // namespace warplight::precision
