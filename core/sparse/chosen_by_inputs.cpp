// SPDX-License-Identifier: GPL-3.0-or-later
// Patterns that follow from Q and K: the largest scores, and buckets of a locality-sensitive hash.
#include "core/error.h"
#include "core/sparse/pattern.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace warplight::sparse {
namespace {

Pattern empty(const Parameters& parameters, const Inputs& inputs) {
    check(parameters, [](const char* id) { return std::string(id); });
    Pattern pattern;
    pattern.queries = inputs.queries;
    pattern.keys = inputs.keys;
    pattern.heads = inputs.heads;
    pattern.causal = parameters.causal;
    return pattern;
}

/// NaN before all numbers, then the larger, then the first.
struct Before {
    const double* scores;
    bool operator()(int64_t a, int64_t b) const {
        const bool noA = std::isnan(scores[a]), noB = std::isnan(scores[b]);
        if (noA || noB || scores[a] == scores[b])
            return noA != noB ? noA : a < b;
        return scores[a] > scores[b];
    }
};

/// K with its features as rows, so that sums over many keys go on side by side.
std::vector<float> transposed(const Inputs& x) {
    const int64_t keyHeads = x.heads / x.queriesPerKeyHead;
    std::vector<float> out(static_cast<size_t>(keyHeads * x.keys * x.headDim));
    for (int64_t h = 0; h < keyHeads; ++h)
        for (int64_t j = 0; j < x.keys; ++j)
            for (int64_t c = 0; c < x.headDim; ++c)
                out[static_cast<size_t>((h * x.headDim + c) * x.keys + j)] = x.k[(h * x.keys + j) * x.headDim + c];
    return out;
}

/// R [headDim, buckets / 2] of a round.
std::vector<float> directions(int64_t headDim, const Parameters& p, int64_t round) {
    std::vector<float> r(static_cast<size_t>(headDim * (p.buckets / 2)));
    constexpr uint64_t firstStream = 0x4C5348; // apart from those of Q, K and V
    tensor::fillGaussian(r, static_cast<uint64_t>(p.seed), firstStream + static_cast<uint64_t>(round));
    return r;
}

int64_t bucketAmong(std::span<const float> x, const std::vector<float>& r, int64_t buckets) {
    const int64_t half = buckets / 2;
    std::vector<double> along(static_cast<size_t>(half));
    for (size_t c = 0; c < x.size(); ++c)
        for (size_t b = 0; b < along.size(); ++b)
            along[b] += static_cast<double>(x[c]) * static_cast<double>(r[c * along.size() + b]);
    int64_t found = 0;
    double largest = -INFINITY;
    for (int64_t b = 0; b < 2 * half; ++b) {
        const double value = b < half ? along[static_cast<size_t>(b)] : -along[static_cast<size_t>(b - half)];
        if (value > largest) {
            largest = value;
            found = b;
        }
    }
    return found;
}

/// The buckets of rows in one round, and for each head and bucket a row of bits: which keys lie in it.
struct Round {
    std::vector<int32_t> queries;  ///< [heads, queries]
    std::vector<uint64_t> members; ///< [key heads, buckets, words]
};

} // namespace

Pattern makeTopK(const Parameters& parameters, const Inputs& inputs) {
    Pattern pattern = empty(parameters, inputs);
    const auto keys = std::make_shared<const std::vector<float>>(transposed(inputs));
    pattern.see = [parameters, inputs, keys, shape = pattern](int64_t head, int64_t query, BitRow row) {
        const int64_t seen = shape.seenAtMost(query), d = inputs.headDim;
        if (parameters.top >= seen)
            return row.setRange(0, seen);
        thread_local std::vector<double> scores;
        thread_local std::vector<int64_t> order;
        scores.assign(static_cast<size_t>(seen), 0.0);
        const float* q = inputs.q + (head * inputs.queries + query) * d;
        for (int64_t c = 0; c < d; ++c) {
            const float* k = keys->data() + (head / inputs.queriesPerKeyHead * d + c) * inputs.keys;
            const auto factor = static_cast<double>(q[c]);
            for (int64_t j = 0; j < seen; ++j)
                scores[static_cast<size_t>(j)] += factor * static_cast<double>(k[j]);
        }
        order.resize(static_cast<size_t>(seen));
        std::iota(order.begin(), order.end(), 0);
        std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(parameters.top - 1), order.end(),
                         Before{scores.data()});
        for (int64_t i = 0; i < parameters.top; ++i)
            row.set(order[static_cast<size_t>(i)]);
    };
    return pattern;
}

int64_t bucketOf(std::span<const float> x, const Parameters& parameters, int64_t round) {
    if (parameters.buckets == 1)
        return 0;
    return bucketAmong(x, directions(static_cast<int64_t>(x.size()), parameters, round), parameters.buckets);
}

Pattern makeLsh(const Parameters& parameters, const Inputs& inputs) {
    Pattern pattern = empty(parameters, inputs);
    const int64_t d = inputs.headDim, words = wordsOf(inputs.keys), keyHeads = inputs.heads / inputs.queriesPerKeyHead;
    const auto rounds = std::make_shared<std::vector<Round>>();
    for (int64_t round = 0; round < parameters.hashes; ++round) {
        Round& made = rounds->emplace_back();
        const std::vector<float> r = directions(d, parameters, round);
        const auto bucket = [&](const float* x) {
            return bucketAmong({x, static_cast<size_t>(d)}, r, parameters.buckets);
        };
        for (int64_t i = 0; i < inputs.heads * inputs.queries; ++i)
            made.queries.push_back(static_cast<int32_t>(bucket(inputs.q + i * d)));
        made.members.assign(static_cast<size_t>(keyHeads * parameters.buckets * words), 0);
        for (int64_t h = 0; h < keyHeads; ++h)
            for (int64_t j = 0; j < inputs.keys; ++j) {
                const int64_t b = bucket(inputs.k + (h * inputs.keys + j) * d);
                BitRow(made.members.data() + (h * parameters.buckets + b) * words, inputs.keys).set(j);
            }
    }
    pattern.see = [rounds, words, buckets = parameters.buckets, inputs, shape = pattern](int64_t head, int64_t query,
                                                                                         BitRow row) {
        for (const Round& round : *rounds) {
            const int64_t b = round.queries[static_cast<size_t>(head * inputs.queries + query)];
            const uint64_t* members = round.members.data() + (head / inputs.queriesPerKeyHead * buckets + b) * words;
            const auto bits = row.span();
            for (size_t w = 0; w < bits.size(); ++w)
                bits[w] |= members[w];
        }
        row.clearFrom(shape.seenAtMost(query));
    };
    return pattern;
}

} // namespace warplight::sparse
