// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/tensors.h"

#include "core/error.h"
#include "core/tensor/pieces.h"
#include "core/tensor/release.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using tensor::Tensor;
using Shape = std::vector<int64_t>;

/// [sequence, headDim], [heads, sequence, headDim] or four dimensions as four.
Shape fourDimensions(Shape shape, const std::string& name) {
    if (shape.size() < 2 || shape.size() > 4)
        throw InputError(
            fmt::format("{}: shape {}, expected [sequence, headDim], [heads, sequence, headDim] or four dimensions",
                        name, tensor::shapeText(shape)));
    shape.insert(shape.begin(), 4 - shape.size(), 1);
    return shape;
}

/// Whether heads stand inside of the sequence; with fewer dimensions there is but one way.
bool headsAreInside(const Shape& shape, Layout layout) { return layout == Layout::Bnhd && shape.size() == 4; }

Shape bhnd(const Shape& shape, Layout layout, const std::string& name) {
    Shape all = fourDimensions(shape, name);
    if (headsAreInside(shape, layout))
        std::swap(all[1], all[2]);
    return all;
}

/// [a, b, c, d] to [a, c, b, d]: BHND and BNHD into each other.
Tensor swapMiddle(const Tensor& from) {
    const int64_t a = from.shape[0], b = from.shape[1], c = from.shape[2], d = from.shape[3];
    Tensor to{{a, c, b, d}, std::vector<float>(from.values.size())};
    for (int64_t i = 0; i < a; ++i)
        for (int64_t j = 0; j < b; ++j)
            for (int64_t k = 0; k < c; ++k)
                std::copy_n(from.values.begin() + ((i * b + j) * c + k) * d, d,
                            to.values.begin() + ((i * c + k) * b + j) * d);
    return to;
}

} // namespace

Layout layoutByName(const std::string& name) {
    if (name == "BHND" || name == "BNHD")
        return name == "BHND" ? Layout::Bhnd : Layout::Bnhd;
    throw InputError(fmt::format("layout '{}' is not known, expected BHND or BNHD", name));
}

Tensor toBhnd(Tensor tensor, Layout layout, const std::string& name) {
    const bool inside = headsAreInside(tensor.shape, layout);
    tensor.shape = fourDimensions(std::move(tensor.shape), name);
    return inside ? swapMiddle(tensor) : tensor;
}

std::vector<float> headOf(Tensor tensor, Layout layout, int64_t head, const std::atomic<bool>* cancel) {
    const bool inside = headsAreInside(tensor.shape, layout);
    const Shape shape = bhnd(tensor.shape, layout, "");
    const int64_t heads = shape[1], length = shape[2], dim = shape[3];
    if (static_cast<int64_t>(tensor.values.size()) == length * dim) // the only one
        return std::move(tensor.values);
    std::vector<float> one;
    growTo(one, static_cast<size_t>(length * dim), cancel);
    const int64_t step = inside ? heads * dim : dim,
                  first = inside ? (head / heads * length * heads + head % heads) * dim : head * length * dim;
    inPieces(static_cast<size_t>(length), static_cast<size_t>(dim) * sizeof(float), cancel,
             [&](size_t begin, size_t end) {
                 for (auto i = static_cast<int64_t>(begin); i < static_cast<int64_t>(end); ++i)
                     std::copy_n(tensor.values.begin() + first + i * step, dim, one.begin() + i * dim);
             });
    releaseBeside(std::make_shared<Tensor>(std::move(tensor)));
    return one;
}

cpu::AttentionProblem AttentionTensors::problem() const {
    cpu::AttentionProblem p = problemOf(q.shape, k.shape, v.shape, Layout::Bhnd, "Q", "K", "V");
    p.q = q.values.data();
    p.k = k.values.data();
    p.v = v.values.data();
    return p;
}

cpu::AttentionProblem problemOf(const Shape& q, const Shape& k, const Shape& v, Layout layout, const std::string& qName,
                                const std::string& kName, const std::string& vName) {
    if (q.size() != k.size())
        throw InputError(fmt::format("{}: shape {}, expected as many dimensions as Q {}", kName, tensor::shapeText(k),
                                     tensor::shapeText(q)));
    if (k != v)
        throw InputError(
            fmt::format("{}: shape {}, expected that of K, {}", vName, tensor::shapeText(v), tensor::shapeText(k)));
    const Shape qs = bhnd(q, layout, qName), ks = bhnd(k, layout, kName);
    if (qs[3] != ks[3])
        throw InputError(fmt::format("{}: head dimension {}, expected {} as in Q", kName, ks[3], qs[3]));
    if (qs[0] != ks[0])
        throw InputError(fmt::format("{}: batch {}, expected {} as in Q", kName, ks[0], qs[0]));
    if (ks[1] < 1 || qs[1] < 1 || qs[1] % ks[1] != 0)
        throw InputError(fmt::format("{}: {} heads, expected a divisor of Q's {} (is the layout the other one?)", kName,
                                     ks[1], qs[1]));
    cpu::AttentionProblem p;
    p.batch = qs[0];
    p.queryHeads = qs[1];
    p.keyHeads = ks[1];
    p.queryLen = qs[2];
    p.keyLen = ks[2];
    p.headDim = qs[3];
    p.scale = 1.0f / std::sqrt(static_cast<float>(p.headDim));
    return p;
}

AttentionTensors arrangeAttention(Tensor q, Tensor k, Tensor v, Layout layout, const std::string& qName,
                                  const std::string& kName, const std::string& vName) {
    problemOf(q.shape, k.shape, v.shape, layout, qName, kName, vName);
    AttentionTensors result;
    result.outputShape = q.shape;
    result.layout = layout;
    result.q = toBhnd(std::move(q), layout, qName);
    result.k = toBhnd(std::move(k), layout, kName);
    result.v = toBhnd(std::move(v), layout, vName);
    return result;
}

Tensor outputLike(const AttentionTensors& inputs, const std::vector<float>& o) {
    Tensor result{inputs.q.shape, o};
    if (inputs.layout == Layout::Bnhd && inputs.outputShape.size() == 4)
        result = swapMiddle(result);
    result.shape = inputs.outputShape;
    return result;
}

Tensor rowsLike(const AttentionTensors& inputs, const std::vector<float>& rows) {
    const auto& q = inputs.q.shape;
    return {{q.begin() + static_cast<std::ptrdiff_t>(4 - inputs.outputShape.size()), q.begin() + 3}, rows};
}

} // namespace warplight::labs::attention
