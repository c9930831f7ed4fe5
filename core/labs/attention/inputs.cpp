// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/inputs.h"

#include "core/error.h"
#include "core/tensor/pieces.h"
#include "core/tensor/random.h"
#include "core/tensor/release.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <string>

namespace warplight::labs::attention {
namespace {

enum Stream : uint64_t { queryStream, keyStream, valueStream };

/// Every row of x becomes the same vector of ones times `value(row)`.
template <class ValueOfRow>
void fillRows(std::vector<float>& x, int64_t headDim, int64_t rowsPerHead, const std::atomic<bool>* cancel,
              ValueOfRow value) {
    inPieces(x.size(), sizeof(float), cancel, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i)
            x[i] = value(static_cast<int64_t>(i) / headDim % rowsPerHead);
    });
}

} // namespace

std::vector<lab::Parameter::Option> inputKinds() {
    return {
        {"gaussian", "Gaussian", "independent normal numbers"},
        {"largeLogits", "Large logits", "normal numbers times 10: scores of several hundred"},
        {"allEqual", "All equal", "Q is zero: every key weighs the same"},
        {"dominantKey", "One dominant key", "one key's score is 1,000 above the rest"},
        {"ascending", "Ascending scores", "each key's score exceeds the one before: the maximum moves in every tile"}};
}

int64_t inputBytes(const cpu::AttentionProblem& shape) {
    const int64_t queries = saturatedProduct(shape.batch * shape.queryHeads, shape.queryLen),
                  keys = saturatedProduct(shape.batch * shape.keyHeads, shape.keyLen);
    const int64_t floats = saturatedSum(saturatedProduct(2 * shape.headDim, saturatedSum(queries, keys)), queries);
    return saturatedProduct(floats, sizeof(float));
}

void fillInputs(const cpu::AttentionProblem& shape, std::string_view kind, uint64_t seed, std::vector<float>& q,
                std::vector<float>& k, std::vector<float>& v, const std::atomic<bool>* cancel) {
    const float spread = kind == "largeLogits" ? 10.0f : 1.0f;
    tensor::fillGaussian(q, seed, queryStream, spread, cancel);
    tensor::fillGaussian(k, seed, keyStream, spread, cancel);
    tensor::fillGaussian(v, seed, valueStream, 1, cancel);
    const float root = std::sqrt(static_cast<float>(shape.headDim));
    if (kind == "allEqual")
        std::fill(q.begin(), q.end(), 0.0f);
    else if (kind == "dominantKey" || kind == "ascending") {
        std::fill(q.begin(), q.end(), 1.0f);
        const int64_t dominant = shape.keyLen / 3;
        if (kind == "dominantKey")
            fillRows(k, shape.headDim, shape.keyLen, cancel,
                     [&](int64_t row) { return row == dominant ? 1000 / root : 0.0f; });
        else
            fillRows(k, shape.headDim, shape.keyLen, cancel, [&](int64_t row) {
                return 100 / root * static_cast<float>(row) / static_cast<float>(shape.keyLen);
            });
    } else if (kind != "gaussian" && kind != "largeLogits")
        throw InputError(fmt::format("input '{}' is not known, expected one of the kinds that describe lists", kind));
}

AttentionInputs makeInputs(cpu::AttentionProblem shape, std::string_view kind, uint64_t seed,
                           const std::atomic<bool>* cancel) {
    AttentionInputs inputs;
    const ReleasesBeside release(inputs);
    const int64_t queries = shape.batch * shape.queryHeads * shape.queryLen,
                  keys = shape.batch * shape.keyHeads * shape.keyLen;
    growTo(inputs.q, static_cast<size_t>(queries * shape.headDim), cancel);
    growTo(inputs.k, static_cast<size_t>(keys * shape.headDim), cancel);
    growTo(inputs.v, inputs.k.size(), cancel);
    growTo(inputs.o, inputs.q.size(), cancel);
    growTo(inputs.lse, static_cast<size_t>(queries), cancel);
    fillInputs(shape, kind, seed, inputs.q, inputs.k, inputs.v, cancel);
    if (shape.scale == 0)
        shape.scale = 1 / std::sqrt(static_cast<float>(shape.headDim));
    shape.q = inputs.q.data();
    shape.k = inputs.k.data();
    shape.v = inputs.v.data();
    shape.o = inputs.o.data();
    shape.lse = inputs.lse.data();
    inputs.problem = shape;
    return inputs;
}

} // namespace warplight::labs::attention
