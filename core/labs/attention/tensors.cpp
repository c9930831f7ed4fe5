// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/tensors.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace warplight::labs::attention {
namespace {

using tensor::Tensor;

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
    const size_t rank = tensor.shape.size();
    if (rank < 2 || rank > 4)
        throw InputError(
            fmt::format("{}: shape {}, expected [sequence, headDim], [heads, sequence, headDim] or four dimensions",
                        name, tensor::shapeText(tensor.shape)));
    while (tensor.shape.size() < 4)
        tensor.shape.insert(tensor.shape.begin(), 1);
    return layout == Layout::Bnhd && rank == 4 ? swapMiddle(tensor) : tensor;
}

cpu::AttentionProblem AttentionTensors::problem() const {
    cpu::AttentionProblem p;
    p.batch = q.shape[0];
    p.queryHeads = q.shape[1];
    p.keyHeads = k.shape[1];
    p.queryLen = q.shape[2];
    p.keyLen = k.shape[2];
    p.headDim = q.shape[3];
    p.scale = 1.0f / std::sqrt(static_cast<float>(p.headDim));
    p.q = q.values.data();
    p.k = k.values.data();
    p.v = v.values.data();
    return p;
}

AttentionTensors arrangeAttention(Tensor q, Tensor k, Tensor v, Layout layout, const std::string& qName,
                                  const std::string& kName, const std::string& vName) {
    if (q.shape.size() != k.shape.size())
        throw InputError(fmt::format("{}: shape {}, expected as many dimensions as Q {}", kName,
                                     tensor::shapeText(k.shape), tensor::shapeText(q.shape)));
    if (k.shape != v.shape)
        throw InputError(fmt::format("{}: shape {}, expected that of K, {}", vName, tensor::shapeText(v.shape),
                                     tensor::shapeText(k.shape)));
    AttentionTensors result;
    result.outputShape = q.shape;
    result.layout = layout;
    result.q = toBhnd(std::move(q), layout, qName);
    result.k = toBhnd(std::move(k), layout, kName);
    result.v = toBhnd(std::move(v), layout, vName);
    const auto& qs = result.q.shape;
    const auto& ks = result.k.shape;
    if (qs[3] != ks[3])
        throw InputError(fmt::format("{}: head dimension {}, expected {} as in Q", kName, ks[3], qs[3]));
    if (qs[0] != ks[0])
        throw InputError(fmt::format("{}: batch {}, expected {} as in Q", kName, ks[0], qs[0]));
    if (ks[1] < 1 || qs[1] < 1 || qs[1] % ks[1] != 0)
        throw InputError(fmt::format("{}: {} heads, expected a divisor of Q's {} (is the layout the other one?)", kName,
                                     ks[1], qs[1]));
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
