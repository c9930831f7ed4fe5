// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/attention/half_steps.h"

#include "core/cpu/attention/half_products.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/error.h"
#include "gpu/number/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace warplight::cpu {
namespace {

using number::Format;
using number::Sums;
using Stored = HalfRecipe::Stored;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr int lanes = 32;             ///< of the warp that sums a row's exponentials
constexpr double largestHalf = 65504; ///< and what becomes infinite begins 16 above
constexpr double halfUlp = 16;        ///< of f16 below 65504: what one rounding may change
constexpr int64_t rowsBetweenLooks = 16;

} // namespace

std::string_view nameOf(HalfStep step) {
    static constexpr std::array<std::string_view, 10> names = {
        "none",        "input",          "product",  "accumulation",      "store of S",
        "exponential", "sum of the row", "division", "accumulation of O", "store of O"};
    return names.at(static_cast<size_t>(step));
}

HalfSteps::HalfSteps(const MapProblem& p, const float* v, const HalfRecipe& r, const std::atomic<bool>* cancel)
    : problem(p), recipe(r) {
    const bool small = recipe.stored == Stored::E4M3;
    if (recipe.stored != Stored::F16)
        recipe.sums = Sums::Single;
    const float scaleQ = small ? scaleToE4M3(p.q, p.queryLen * p.headDim) : 1,
                scaleK = small ? scaleToE4M3(p.k, p.keyLen * p.headDim) : 1,
                scaleV = small && v ? scaleToE4M3(v, p.keyLen * p.headDim) : 1;
    const auto take = [&](float x, float scale) { return small ? scaledToE4M3(x, scale) : stored(x); };
    scoreScale = small ? scoreFactor(p.scale, scaleQ, scaleK) : recipe.scaleFirst ? 1 : p.scale;
    outputScale = 1 / scaleV;
    queries.resize(static_cast<size_t>(p.queryLen * p.headDim));
    for (size_t i = 0; i < queries.size(); ++i) {
        queries[i] = take(p.q[i], scaleQ);
        if (recipe.scaleFirst && !small)
            queries[i] = stored(queries[i] * p.scale);
    }
    checkCancelled(cancel);
    keys.assign(static_cast<size_t>(roundUp(p.keyLen, block) * p.headDim), 0);
    for (int64_t key = 0; key < p.keyLen; ++key)
        for (int64_t c = 0; c < p.headDim; ++c)
            keys[static_cast<size_t>(key / block * block * p.headDim + c * block + key % block)] =
                take(p.k[key * p.headDim + c], scaleK);
    checkCancelled(cancel);
    if (!v)
        return;
    valueStride = roundUp(p.headDim, productColumns);
    values.assign(static_cast<size_t>(p.keyLen * valueStride), 0);
    for (int64_t key = 0; key < p.keyLen; ++key)
        for (int64_t c = 0; c < p.headDim; ++c)
            values[static_cast<size_t>(key * valueStride + c)] = take(v[key * p.headDim + c], scaleV);
}

float HalfSteps::stored(float x) const {
    return recipe.stored == Stored::E4M3
               ? x
               : number::rounded(x, recipe.stored == Stored::F16 ? Format::F16 : Format::BF16);
}

float HalfSteps::storedScore(float sum) const { return stored(sum * scoreScale); }

int64_t HalfSteps::visible(int64_t query) const {
    return problem.causal ? std::clamp<int64_t>(query + 1 + problem.keyLen - problem.queryLen, 0, problem.keyLen)
                          : problem.keyLen;
}

double HalfSteps::limit() const {
    return recipe.stored == Stored::F16 ? largestHalf : static_cast<double>(std::numeric_limits<float>::max());
}

double HalfSteps::sumOfScore() const { return recipe.sums == Sums::Single ? static_cast<double>(scoreScale) : 1; }

std::vector<float> HalfSteps::sizes(int64_t query) const {
    const int64_t seen = visible(query);
    std::vector<float> sizes(static_cast<size_t>(roundUp(seen, block)));
    std::array<int32_t, block> first;
    for (int64_t key = 0; key < seen; key += block)
        halfProducts().exact(Sums::Single, queries.data() + query * problem.headDim, keyBlock(key), block,
                             problem.headDim, block, sizes.data() + key, first.data());
    sizes.resize(static_cast<size_t>(seen));
    for (float& size : sizes)
        size = std::fabs(size * static_cast<float>(sumOfScore()));
    return sizes;
}

std::vector<double> HalfSteps::exactPartialSums(int64_t query, int64_t key) const {
    const float *q = queries.data() + query * problem.headDim, *k = keyBlock(key) + key % block;
    std::vector<double> sums;
    double sum = 0;
    for (int64_t c = 0; c < problem.headDim; ++c)
        sums.push_back(sum += static_cast<double>(q[c]) * static_cast<double>(k[c * block]));
    return sums;
}

std::vector<float> HalfSteps::partialSums(int64_t query, int64_t key) const {
    const float *q = queries.data() + query * problem.headDim, *k = keyBlock(key);
    std::vector<float> sums;
    std::array<float, block> sum;
    std::array<int32_t, block> first;
    for (int64_t count = 1; count <= problem.headDim; ++count) {
        halfProducts().exact(recipe.sums, q, k, block, count, block, sum.data(), first.data());
        sums.push_back(sum[static_cast<size_t>(key % block)]);
    }
    return sums;
}

HalfScore HalfSteps::score(int64_t query, int64_t key) const {
    std::array<float, block> sum;
    std::array<int32_t, block> first;
    halfProducts().exact(recipe.sums, queries.data() + query * problem.headDim, keyBlock(key), block, problem.headDim,
                         block, sum.data(), first.data());
    const auto lane = static_cast<size_t>(key % block);
    HalfScore score{storedScore(sum[lane]), exactPartialSums(query, key).back() * static_cast<double>(scoreScale), {}};
    if (!std::isfinite(score.stored))
        score.origin = {stepOf(query, key, first[lane]), key, first[lane]};
    return score;
}

HalfStep HalfSteps::stepOf(int64_t query, int64_t key, int32_t first) const {
    const float *q = queries.data() + query * problem.headDim, *k = keyBlock(key) + key % block;
    for (int64_t c = 0; c < problem.headDim; ++c)
        if (!std::isfinite(q[c]) || !std::isfinite(k[c * block]))
            return HalfStep::Input;
    if (first < 0)
        return HalfStep::Store;
    return recipe.sums == Sums::Half && std::isinf(number::rounded(q[first] * k[first * block], Format::F16))
               ? HalfStep::Product
               : HalfStep::Sum;
}

HalfSteps::Row HalfSteps::row(int64_t query) const {
    Row row;
    const int64_t seen = visible(query), padded = roundUp(problem.keyLen, block);
    row.scores.assign(static_cast<size_t>(padded), 0);
    std::vector<int32_t> first(static_cast<size_t>(padded));
    for (int64_t key = 0; key < seen; key += block)
        halfProducts().exact(recipe.sums, queries.data() + query * problem.headDim, keyBlock(key), block,
                             problem.headDim, block, row.scores.data() + key, first.data() + key);
    for (int64_t key = 0; key < seen; ++key) {
        float& score = row.scores[static_cast<size_t>(key)];
        score = storedScore(score);
        if (!std::isfinite(score))
            row.dead.push_back(
                {stepOf(query, key, first[static_cast<size_t>(key)]), key, first[static_cast<size_t>(key)]});
    }
    row.scores.resize(static_cast<size_t>(problem.keyLen));
    std::fill(row.scores.begin() + seen, row.scores.end(), -infinity);
    if (!row.dead.empty())
        row.origin = row.dead.front();
    if (recipe.stored == Stored::E4M3) {
        finishInTiles(query, row);
        return row;
    }
    weigh(row);
    if (!values.empty())
        addValues(query, row);
    return row;
}

/// The softmax as one warp computes it: lanes take keys in turn, their sums meet by halves.
void HalfSteps::weigh(Row& row) const {
    const auto note = [&row](HalfStep step, int64_t key, float x) {
        if (row.origin.step == HalfStep::None && !std::isfinite(x))
            row.origin = {step, key, -1};
    };
    float base = 0;
    if (recipe.subtractMaximum) {
        float most = -infinity;
        for (const float s : row.scores)
            most = std::fmax(most, s);
        base = most == -infinity ? 0 : most;
    }
    const bool half = recipe.sums != Sums::Single;
    const auto added = [half](float a, float b) { return half ? number::rounded(a + b, Format::F16) : a + b; };
    std::array<float, lanes> sums{};
    row.weights.resize(row.scores.size());
    for (size_t j = 0; j < row.scores.size(); ++j) {
        row.weights[j] = stored(std::exp(row.scores[j] - base));
        note(HalfStep::Exponential, static_cast<int64_t>(j), row.weights[j]);
        sums[j % lanes] = added(sums[j % lanes], row.weights[j]);
    }
    for (size_t step = lanes / 2; step > 0; step /= 2) {
        const std::array<float, lanes> before = sums;
        for (size_t lane = 0; lane < lanes; ++lane)
            sums[lane] = added(before[lane], before[lane ^ step]);
    }
    row.sum = sums[0];
    note(HalfStep::RowSum, -1, row.sum);
    for (size_t j = 0; j < row.weights.size(); ++j) {
        float& weight = row.weights[j];
        weight = stored(row.sum == 0 ? 0 : weight / row.sum);
        note(HalfStep::Division, static_cast<int64_t>(j), weight);
    }
    row.lse = base + std::log(row.sum);
}

void HalfSteps::addValues(int64_t query, Row& row) const {
    row.output.resize(static_cast<size_t>(valueStride));
    std::vector<int32_t> first(static_cast<size_t>(valueStride));
    halfProducts().exact(recipe.sums, row.weights.data(), values.data(), valueStride, visible(query), valueStride,
                         row.output.data(), first.data());
    row.output.resize(static_cast<size_t>(problem.headDim));
    for (size_t c = 0; c < row.output.size(); ++c) {
        float& o = row.output[c];
        const bool finite = std::isfinite(o);
        if (std::isnan(o) && row.lse == -infinity)
            o = 0;
        o = stored(o);
        if (row.origin.step == HalfStep::None && !std::isfinite(o))
            row.origin = {finite ? HalfStep::OutputStore : HalfStep::OutputSum, -1, first[c]};
    }
}

void HalfSteps::pooled(int64_t query, int64_t keyBegin, int64_t keyEnd, int64_t cell, float* out) const {
    const float* q = queries.data() + query * problem.headDim;
    const auto slack = static_cast<float>(halfUlp * static_cast<double>(problem.headDim) + 1);
    std::array<float, block> sum, most;
    std::array<int32_t, block> first;
    for (int64_t begin = keyBegin / block * block; begin < keyEnd; begin += block) {
        const bool f16Sums = recipe.sums != Sums::Single;
        bool exact = cell == 1;
        if (!exact) {
            halfProducts().bounded(q, keyBlock(begin), block, problem.headDim, block,
                                   recipe.sums == Sums::TensorHalf ? 16 : 1, sum.data(), most.data());
            // Sums in f16 differ from those in f32 by half an ulp a step at most: only near the limit must they be
            // known.
            for (size_t i = 0; f16Sums && i < block && !exact; ++i)
                exact = most[i] >= static_cast<float>(largestHalf) - slack && most[i] <= 65520.0f + slack;
            for (size_t i = 0; f16Sums && i < block && !exact; ++i)
                sum[i] = most[i] < static_cast<float>(largestHalf) - slack ? sum[i] : infinity;
        }
        if (exact)
            halfProducts().exact(recipe.sums, q, keyBlock(begin), block, problem.headDim, block, sum.data(),
                                 first.data());
        for (int64_t key = std::max(begin, keyBegin); key < std::min(begin + block, keyEnd); ++key) {
            const float score = storedScore(sum[static_cast<size_t>(key - begin)]);
            float& to = out[(key - keyBegin) / cell];
            to = std::isfinite(score) ? std::fmax(to, std::fabs(score)) : infinity;
        }
    }
}

void HalfSteps::tile(int64_t rowBegin, int64_t colBegin, int64_t rows, int64_t cols, int64_t cell, std::span<float> out,
                     int threads, const std::atomic<bool>* cancel) const {
    parallelItems(rows, workerCount(threads), cancel, [&](int64_t r, int) {
        float* cells = out.data() + r * cols;
        std::fill_n(cells, cols, std::numeric_limits<float>::quiet_NaN());
        const int64_t first = rowBegin + r * cell, end = std::min(first + cell, problem.queryLen);
        for (int64_t query = first; query < end; ++query) {
            if (query % rowsBetweenLooks == 0)
                checkCancelled(cancel);
            const int64_t keyEnd = std::min(colBegin + cols * cell, visible(query));
            if (colBegin < keyEnd)
                pooled(query, colBegin, keyEnd, cell, cells);
        }
    });
}

} // namespace warplight::cpu
