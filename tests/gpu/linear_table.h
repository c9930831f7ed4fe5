// SPDX-License-Identifier: GPL-3.0-or-later
// Linear attention by its definition, in f64 and step by step, and problems that the kernels are tried on.
#pragma once

#include "gpu/number/format.h"
#include "gpu/ops/linear_attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace warplight::test {

using Rows = std::vector<std::vector<double>>;

/// phi of the rows of a head, before any product.
inline Rows featuresOf(const gpu::LinearShape& s, const std::vector<float>& from, int64_t firstRow, int64_t rows,
                       bool keys, const std::vector<float>& projection) {
    using gpu::FeatureMap;
    const double root = std::sqrt(static_cast<double>(s.scale));
    const auto d = static_cast<size_t>(s.headDim), m = static_cast<size_t>(s.randomFeatures);
    Rows all;
    for (int64_t row = firstRow; row < firstRow + rows; ++row) {
        std::vector<double> x(d), y;
        double square = 0, raw = 0;
        for (size_t i = 0; i < d; ++i) {
            const double number = static_cast<double>(from[static_cast<size_t>(row) * d + i]);
            x[i] = root * number;
            square += x[i] * x[i];
            raw += number * number;
        }
        switch (s.map) {
        case FeatureMap::Cos:
            y.push_back(1);
            for (size_t i = 0; i < d; ++i)
                y.push_back(static_cast<double>(from[static_cast<size_t>(row) * d + i]) / std::sqrt(raw));
            break;
        case FeatureMap::Taylor2:
            y.push_back(1);
            y.insert(y.end(), x.begin(), x.end());
            for (const double a : x)
                for (const double b : x)
                    y.push_back(a * b / std::sqrt(2.0));
            break;
        case FeatureMap::Favor:
            for (size_t f = 0; f < m; ++f) {
                double sum = -square / 2;
                for (size_t i = 0; i < d; ++i)
                    sum += static_cast<double>(projection[f * d + i]) * x[i];
                y.push_back(sum);
            }
            break;
        default:
            for (const double a : x)
                y.push_back(s.map == FeatureMap::Elu1    ? (a > 0 ? a + 1 : std::exp(a))
                            : s.map == FeatureMap::Relu  ? std::max(a, 0.0)
                            : s.map == FeatureMap::Relu2 ? std::max(a, 0.0) * std::max(a, 0.0)
                            : s.map == FeatureMap::Exp   ? std::exp(a)
                                                         : a);
        }
        all.push_back(y);
    }
    const auto shifted = [](double most, double x) { return std::exp(x - most); };
    if (s.map == FeatureMap::Favor) {
        double most = -1e300;
        for (const auto& y : all)
            most = std::max(most, *std::max_element(y.begin(), y.end()));
        for (auto& y : all) {
            const double own = *std::max_element(y.begin(), y.end());
            const double shift = !s.normalised ? 0 : !keys ? own : s.causal ? 0 : most;
            for (double& f : y)
                f = shifted(shift, f) / std::sqrt(static_cast<double>(m));
        }
    }
    if (s.map == FeatureMap::Softmax) {
        const auto normalise = [&](size_t count, const auto& at) {
            double most = -1e300, sum = 0;
            for (size_t i = 0; i < count; ++i)
                most = std::max(most, at(i));
            for (size_t i = 0; i < count; ++i)
                sum += at(i) = shifted(most, at(i));
            for (size_t i = 0; i < count; ++i)
                at(i) /= sum;
        };
        for (size_t i = 0; i < (keys ? d : all.size()); ++i)
            normalise(keys ? all.size() : d, [&](size_t j) -> double& { return keys ? all[j][i] : all[i][j]; });
    }
    return all;
}

/// A problem that owns its tensors.
struct OwnedLinear {
    gpu::LinearShape shape;
    std::vector<float> q, k, v, decay, beta, projection;

    explicit OwnedLinear(const gpu::LinearShape& s, unsigned seed = 1) : shape(s) {
        std::mt19937 random(seed);
        std::normal_distribution<float> gaussian(0, 1);
        std::uniform_real_distribution<float> gate(0.85f, 1), strength(0, 1);
        const auto fill = [&](std::vector<float>& x, int64_t count, auto& numbers) {
            x.resize(static_cast<size_t>(count));
            std::generate(x.begin(), x.end(), [&] { return numbers(random); });
        };
        const int64_t keys = s.allHeads() * s.keyLen;
        fill(q, s.allHeads() * s.queryLen * s.headDim, gaussian);
        fill(k, keys * s.headDim, gaussian);
        fill(v, keys * s.valueDim, gaussian);
        fill(decay, keys * gpu::decaysPerStep(s), gate);
        fill(projection, s.map == gpu::FeatureMap::Favor ? s.randomFeatures * s.headDim : 0, gaussian);
        if (gpu::takesBeta(s.rule)) { // beta |phi(k)|² up to 1: beyond 2 the state grows without bound
            fill(beta, keys, strength);
            for (int64_t head = 0; head < s.allHeads(); ++head) {
                const auto phi = featuresOf(s, k, head * s.keyLen, s.keyLen, true, projection);
                for (size_t t = 0; t < phi.size(); ++t) {
                    double square = 0;
                    for (const double x : phi[t])
                        square += x * x;
                    float& b = beta[static_cast<size_t>(head * s.keyLen) + t];
                    b = static_cast<float>(static_cast<double>(b) / std::max(square, 1.0));
                }
            }
        }
    }
    gpu::LinearTensors tensors() const {
        const auto orNull = [](const std::vector<float>& x) { return x.empty() ? nullptr : x.data(); };
        return {q.data(), k.data(), v.data(), orNull(decay), orNull(beta), orNull(projection)};
    }
    void roundTo(number::Format format) {
        for (std::vector<float>* x : {&q, &k, &v})
            for (float& value : *x)
                value = number::rounded(value, format);
    }
};

/// O, state and z of a problem, and what an error of O is measured by: the same sums with all numbers' sizes.
struct LinearTruth {
    std::vector<double> o, state, z, magnitude;

    explicit LinearTruth(const OwnedLinear& p) {
        const gpu::LinearShape& s = p.shape;
        for (int64_t head = 0; head < s.allHeads(); ++head)
            ofHead(p, head);
        if (gpu::takesBeta(s.rule)) // what is overwritten cancels: those sums grow without the numbers doing so
            magnitude.assign(magnitude.size(), largest(o));
    }
    static double largest(const std::vector<double>& x) {
        double most = 0;
        for (const double number : x)
            most = std::max(most, std::fabs(number));
        return most;
    }

  private:
    void ofHead(const OwnedLinear& p, int64_t head) {
        using gpu::LinearRule;
        const gpu::LinearShape& s = p.shape;
        const Rows q = featuresOf(s, p.q, head * s.queryLen, s.queryLen, false, p.projection),
                   k = featuresOf(s, p.k, head * s.keyLen, s.keyLen, true, p.projection);
        const auto f = static_cast<size_t>(gpu::features(s)), dv = static_cast<size_t>(s.valueDim), columns = dv + 1,
                   perStep = static_cast<size_t>(gpu::decaysPerStep(s));
        std::vector<double> S(f * columns), sizes(f * columns); // the last column is of ones
        const auto read = [&](const std::vector<double>& query) {
            std::vector<double> sum(columns), size(columns);
            for (size_t i = 0; i < f; ++i)
                for (size_t c = 0; c < columns; ++c) {
                    sum[c] += query[i] * S[i * columns + c];
                    size[c] += std::fabs(query[i]) * sizes[i * columns + c];
                }
            for (size_t c = 0; c < dv; ++c) {
                const double by = s.normalised ? sum[dv] : 1;
                o.push_back(sum[c] / by);
                magnitude.push_back(size[c] / std::fabs(by) +
                                    (s.normalised ? std::fabs(sum[c]) * size[dv] / (by * by) : 0));
            }
        };
        for (int64_t t = 0; t < s.keyLen; ++t) {
            const std::vector<double>& key = k[static_cast<size_t>(t)];
            const auto step = static_cast<size_t>(head * s.keyLen + t);
            for (size_t i = 0; i < f && s.rule != LinearRule::Add && s.rule != LinearRule::Delta; ++i) {
                const double given = p.decay.empty()
                                         ? 1 - std::ldexp(1.0, static_cast<int>(-5 - head % s.heads))
                                         : static_cast<double>(p.decay[step * perStep + (perStep > 1 ? i : 0)]);
                for (size_t c = 0; c < columns; ++c) {
                    S[i * columns + c] *= given;
                    sizes[i * columns + c] *= std::fabs(given);
                }
            }
            for (size_t c = 0; c < columns; ++c) {
                double value = c < dv ? static_cast<double>(p.v[step * dv + c]) : 1, size = std::fabs(value);
                if (gpu::takesBeta(s.rule)) {
                    for (size_t i = 0; i < f; ++i) {
                        value -= key[i] * S[i * columns + c];
                        size += std::fabs(key[i]) * sizes[i * columns + c];
                    }
                    value *= static_cast<double>(p.beta[step]);
                    size *= std::fabs(static_cast<double>(p.beta[step]));
                }
                for (size_t i = 0; i < f; ++i) {
                    S[i * columns + c] += key[i] * value;
                    sizes[i * columns + c] += std::fabs(key[i]) * size;
                }
            }
            if (s.causal)
                read(q[static_cast<size_t>(t)]);
        }
        for (int64_t t = 0; !s.causal && t < s.queryLen; ++t)
            read(q[static_cast<size_t>(t)]);
        for (size_t i = 0; i < f; ++i) {
            z.push_back(S[i * columns + dv]);
            for (size_t c = 0; c < dv; ++c)
                state.push_back(S[i * columns + c]);
        }
    }
};

} // namespace warplight::test
