// SPDX-License-Identifier: GPL-3.0-or-later
// Problems of linear attention that own their tensors, and how far two results are apart.
#pragma once

#include "core/cpu/linear/feature_map.h"
#include "core/cpu/linear/linear_attention.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace warplight::test {

inline std::string nameOf(const cpu::LinearShape& s) {
    const auto at = [](auto infos, auto id) { return std::string(infos[static_cast<size_t>(id)].name); };
    return at(cpu::featureMaps(), s.map) + ", " + at(cpu::linearRules(), s.rule) + (s.causal ? ", causal" : "") +
           (s.normalise ? ", normalised" : "");
}

template <class T>
struct LinearResult {
    std::vector<T> o, state, z;
};

/// Inputs of a shape: normal numbers, decays between 0.8 and 1, and betas that keep the delta rule contractive.
template <class T>
struct OwnedLinear {
    cpu::LinearShape shape;
    std::vector<T> q, k, v, decay, beta;

    explicit OwnedLinear(const cpu::LinearShape& s, uint64_t seed = 5) : shape(s) {
        const int64_t heads = s.batch * s.heads, d = cpu::featureCount(s), keys = heads * s.keyLen;
        q = numbers(heads * s.queryLen * s.headDim, seed, 0);
        k = numbers(keys * s.headDim, seed, 1);
        v = numbers(keys * s.valueDim, seed, 2);
        decay = numbers(keys * (s.rule == cpu::LinearRule::Gla ? d : 1), seed, 3);
        for (T& x : decay)
            x = static_cast<T>(0.8 + 0.2 / (1 + std::exp(static_cast<double>(x))));
        beta = numbers(keys, seed, 4);
        std::vector<T> features(static_cast<size_t>(keys * d));
        cpu::Features<T>(s).ofKeys(k.data(), keys, features.data());
        for (int64_t t = 0; t < keys; ++t) {
            double square = 1e-6;
            for (int64_t f = 0; f < d; ++f)
                square += std::pow(static_cast<double>(features[static_cast<size_t>(t * d + f)]), 2);
            T& b = beta[static_cast<size_t>(t)];
            b = static_cast<T>(1 / (1 + std::exp(static_cast<double>(b))) / square);
        }
    }

    cpu::LinearTensors<T> tensors(LinearResult<T>& into) const {
        const int64_t heads = shape.batch * shape.heads, d = cpu::featureCount(shape);
        into.o.assign(static_cast<size_t>(heads * shape.queryLen * shape.valueDim), T{7});
        into.state.assign(static_cast<size_t>(heads * d * shape.valueDim), T{7});
        into.z.assign(static_cast<size_t>(heads * d), T{7});
        return {q.data(),    k.data(),      v.data(),          decay.data(),
                beta.data(), into.o.data(), into.state.data(), into.z.data()};
    }

    LinearResult<T> run(cpu::LinearForm form, int threads = 1) const {
        LinearResult<T> result;
        cpu::linearAttention(form, shape, tensors(result), {threads, nullptr});
        return result;
    }

  private:
    static std::vector<T> numbers(int64_t count, uint64_t seed, uint64_t stream) {
        std::vector<float> x(static_cast<size_t>(count));
        tensor::fillGaussian(x, seed, stream);
        return {x.begin(), x.end()};
    }
};

/// The largest difference over the largest number; infinite where one is a number and the other is not, or infinite.
template <class A, class B>
double apart(const std::vector<A>& made, const std::vector<B>& exact) {
    double largest = 0, error = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
        const double a = static_cast<double>(made[i]), b = static_cast<double>(exact[i]);
        if (std::isnan(a) && std::isnan(b))
            continue;
        if (!std::isfinite(a) || !std::isfinite(b)) {
            if (a != b)
                return std::numeric_limits<double>::infinity();
            continue;
        }
        largest = std::max(largest, std::fabs(b));
        error = std::max(error, std::fabs(a - b));
    }
    return error == 0 ? 0 : error / largest;
}

} // namespace warplight::test
