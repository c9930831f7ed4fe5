// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/gau_strips.h"

#include "core/cpu/parallel.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>

namespace warplight::labs::linear {
namespace {

using Numbers = std::vector<float>;

Numbers gaussian(int64_t count, double deviation, uint64_t seed, uint64_t stream) {
    Numbers made(static_cast<size_t>(count));
    tensor::fillGaussian(made, seed, stream, static_cast<float>(deviation));
    return made;
}

/// Topic of each token: stretches of 12 to 24, three topics that come back.
std::vector<int64_t> topicsOf() {
    std::vector<int64_t> topics;
    const std::pair<int64_t, int64_t> stretches[]{{0, 18}, {1, 14}, {0, 10}, {2, 22}, {1, 16}, {2, 16}};
    for (const auto& [topic, count] : stretches)
        topics.insert(topics.end(), static_cast<size_t>(count), topic);
    return topics;
}

} // namespace

double viewSize(cpu::GauFunction function, double keys, double shared) {
    constexpr double variance = 0.28; // of silu of N(0, 1)
    const double score = function == cpu::GauFunction::Relu2       ? std::sqrt(3 * keys)
                         : function == cpu::GauFunction::Relu2Root ? std::sqrt(3 * shared)
                         : function == cpu::GauFunction::Softmax   ? 4 * std::sqrt(shared)
                                                                   : 0.7 * keys;
    return std::sqrt(score / (variance * shared));
}

namespace {

/// A size that all but one in a hundred numbers of both lists stay below: what a palette ends with.
double usualSize(std::vector<double> values, std::span<const double> more) {
    values.insert(values.end(), more.begin(), more.end());
    for (double& v : values)
        v = std::fabs(v);
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 100 * 99);
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

double cosine(std::span<const double> a, std::span<const double> b) {
    const auto dot = [](std::span<const double> x, std::span<const double> y) {
        return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
    };
    return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

} // namespace

GateStrips gateStrips(cpu::GauFunction function, bool causal, int64_t chunk, uint64_t seed, double toIdentity,
                      double toOne, const cpu::RunOptions& options) {
    constexpr int64_t n = GateStrips::tokens, d = GateStrips::features, e = GateStrips::expanded,
                      s = GateStrips::shared;
    GateStrips made;
    made.topics = topicsOf();
    cpu::GauShape shape;
    shape.length = n;
    shape.features = d;
    shape.expanded = e;
    shape.shared = s;
    shape.function = function;
    shape.causal = causal;
    shape.chunk = chunk;
    const Numbers topics = gaussian(3 * d, 1, seed, 1), wu = gaussian(d * e, 1 / std::sqrt(d), seed, 2),
                  wv = gaussian(d * e, 1 / std::sqrt(d), seed, 3), wz = gaussian(d * s, 1 / std::sqrt(d), seed, 4),
                  wo = gaussian(e * d, 1 / std::sqrt(e), seed, 5);
    Numbers x = gaussian(n * d, 0.5, seed, 0);
    for (int64_t t = 0; t < n; ++t)
        for (int64_t i = 0; i < d; ++i)
            x[static_cast<size_t>(t * d + i)] +=
                topics[static_cast<size_t>(made.topics[static_cast<size_t>(t)] * d + i)];
    // Taken off, so that tokens of other topics have no score.
    constexpr double mean = meanOfGates;
    const double size = viewSize(function, static_cast<double>(shape.segment()), s);
    Numbers gamma(static_cast<size_t>(shape.views() * s), static_cast<float>(size)), beta = gamma;
    for (float& b : beta)
        b *= -static_cast<float>(mean);
    for (size_t view = 1; chunk > 0 && view < 4; view += 2) // the linear part: of the size that weights have
        for (size_t i = 0; i < s; ++i) {
            const double linear = std::sqrt(1 / (0.28 * s));
            gamma[view * s + i] = static_cast<float>(linear);
            beta[view * s + i] = static_cast<float>(-mean * linear);
        }
    const cpu::GauTrace trace = cpu::traceOf(
        {shape, x.data(), wu.data(), wv.data(), wz.data(), gamma.data(), beta.data(), wo.data(), nullptr}, options);
    made.attention = trace.attention;
    for (int64_t i = 0; i < n * n; ++i)
        made.attention[static_cast<size_t>(i)] =
            (1 - toIdentity) * made.attention[static_cast<size_t>(i)] + (i % (n + 1) == 0 ? toIdentity : 0);
    made.gate = trace.u;
    for (double& u : made.gate)
        u = (1 - toOne) * u + toOne;
    made.mixed.resize(trace.mixed.size());
    made.product.resize(trace.mixed.size());
    std::vector<double> feedForward(trace.v.size());
    for (size_t i = 0; i < made.mixed.size(); ++i) {
        made.mixed[i] = (1 - toIdentity) * trace.mixed[i] + toIdentity * trace.v[i];
        made.product[i] = made.gate[i] * made.mixed[i];
        feedForward[i] = trace.u[i] * trace.v[i];
    }
    made.likeAttention = cosine(made.product, trace.mixed);
    made.likeFeedForward = cosine(made.product, feedForward);
    made.usualGate = std::max(1.0, usualSize(trace.u, {}));
    made.usualMixed = usualSize(trace.v, trace.mixed);
    made.usualProduct = usualSize(feedForward, trace.mixed);
    made.usualWeight = std::max(toIdentity, usualSize(made.attention, {}));
    return made;
}

double meanRowSum(cpu::GauFunction function, int64_t keys, int64_t shared, int64_t rows, uint64_t seed,
                  const cpu::RunOptions& options) {
    if (function == cpu::GauFunction::Softmax)
        return 1; // that is what it divides by
    cpu::GauShape shape;
    shape.length = keys;
    shape.shared = shared;
    shape.function = function;
    const Numbers q = gaussian(rows * shared, 1, seed, 0), k = gaussian(keys * shared, 1, seed, 1);
    std::vector<double> sums(static_cast<size_t>(rows));
    cpu::parallelItems(rows, cpu::workerCount(options.threads), options.cancel, [&](int64_t row, int) {
        double sum = 0;
        for (int64_t j = 0; j < keys; ++j) {
            double score = 0;
            for (int64_t i = 0; i < shared; ++i)
                score += static_cast<double>(q[static_cast<size_t>(row * shared + i)]) *
                         static_cast<double>(k[static_cast<size_t>(j * shared + i)]);
            sum += cpu::weightOf(shape, score, keys);
        }
        sums[static_cast<size_t>(row)] = sum;
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(rows);
}

} // namespace warplight::labs::linear
