// SPDX-License-Identifier: GPL-3.0-or-later
// Forward pass and loss of a model of gated attention units in double precision, as plain loops from its equations.
#pragma once

#include "core/model/model.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::test {

class ReferenceGau {
  public:
    using Numbers = std::vector<double>;

    explicit ReferenceGau(const model::Model& m)
        : c(m.config), layout(m.layout), weights(m.weights.all().begin(), m.weights.all().end()) {}

    /// Logits [length, vocabulary] of one sequence.
    Numbers logits(const std::vector<int32_t>& tokens) const {
        const size_t n = tokens.size(), f = static_cast<size_t>(c.features);
        Numbers x(n * f);
        for (size_t t = 0; t < n; ++t)
            for (size_t i = 0; i < f; ++i)
                x[t * f + i] = at("wte.weight")[static_cast<size_t>(tokens[t]) * f + i] + at("wpe.weight")[t * f + i];
        for (int64_t layer = 0; layer < c.layers; ++layer) {
            const Numbers y =
                unit(norm(x, "h." + std::to_string(layer) + ".ln"), "h." + std::to_string(layer) + ".gau.", n);
            for (size_t i = 0; i < x.size(); ++i)
                x[i] += y[i];
        }
        x = norm(x, "ln_f");
        const auto vocabulary = static_cast<size_t>(c.vocabulary);
        Numbers y(n * vocabulary);
        for (size_t t = 0; t < n; ++t)
            for (size_t v = 0; v < vocabulary; ++v)
                for (size_t i = 0; i < f; ++i)
                    y[t * vocabulary + v] += x[t * f + i] * at("wte.weight")[v * f + i];
        return y;
    }

    /// Mean cross entropy of sequences of `length` tokens.
    double loss(const std::vector<int32_t>& tokens, const std::vector<int32_t>& targets, size_t length) const {
        const auto vocabulary = static_cast<size_t>(c.vocabulary);
        double sum = 0;
        for (size_t begin = 0; begin < tokens.size(); begin += length) {
            const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(begin);
            const Numbers y = logits({first, first + static_cast<std::ptrdiff_t>(length)});
            for (size_t t = 0; t < length; ++t) {
                double all = 0;
                for (size_t v = 0; v < vocabulary; ++v)
                    all += std::exp(y[t * vocabulary + v]);
                sum += std::log(all) - y[t * vocabulary + static_cast<size_t>(targets[begin + t])];
            }
        }
        return sum / static_cast<double>(tokens.size());
    }

    double& weight(int64_t place) { return weights[static_cast<size_t>(place)]; }

  private:
    const double* at(const std::string& name) const { return weights.data() + layout.find(name)->begin; }

    /// silu(x w), [n, out].
    Numbers gate(const Numbers& x, const std::string& name, size_t out) const {
        const auto f = static_cast<size_t>(c.features);
        Numbers y(x.size() / f * out);
        for (size_t r = 0; r < x.size() / f; ++r)
            for (size_t o = 0; o < out; ++o) {
                double sum = 0;
                for (size_t i = 0; i < f; ++i)
                    sum += x[r * f + i] * at(name)[i * out + o];
                y[r * out + o] = sum / (1 + std::exp(-sum));
            }
        return y;
    }

    Numbers unit(const Numbers& x, const std::string& name, size_t n) const {
        const auto f = static_cast<size_t>(c.features), e = static_cast<size_t>(c.hidden),
                   s = static_cast<size_t>(c.shared);
        const Numbers u = gate(x, name + "u.weight", e), v = gate(x, name + "v.weight", e),
                      z = gate(x, name + "z.weight", s);
        const double *gamma = at(name + "gamma"), *beta = at(name + "beta");
        Numbers y(n * f);
        for (size_t t = 0; t < n; ++t)
            for (size_t k = 0; k < e; ++k) {
                double mixed = 0;
                for (size_t j = 0; j <= t; ++j) {
                    double score = 0;
                    for (size_t i = 0; i < s; ++i)
                        score += (gamma[i] * z[t * s + i] + beta[i]) * (gamma[s + i] * z[j * s + i] + beta[s + i]);
                    if (score > 0)
                        mixed += score * score / static_cast<double>((t + 1) * s) * v[j * e + k];
                }
                for (size_t i = 0; i < f; ++i)
                    y[t * f + i] += u[t * e + k] * mixed * at(name + "c_proj.weight")[k * f + i];
            }
        return y;
    }

    Numbers norm(const Numbers& x, const std::string& name) const {
        const double *w = at(name + ".weight"), *b = at(name + ".bias");
        const auto f = static_cast<size_t>(c.features);
        Numbers y(x.size());
        for (size_t begin = 0; begin < x.size(); begin += f) {
            double mean = 0, variance = 0;
            for (size_t i = 0; i < f; ++i)
                mean += x[begin + i] / static_cast<double>(f);
            for (size_t i = 0; i < f; ++i)
                variance += (x[begin + i] - mean) * (x[begin + i] - mean) / static_cast<double>(f);
            for (size_t i = 0; i < f; ++i)
                y[begin + i] = (x[begin + i] - mean) / std::sqrt(variance + c.epsilon) * w[i] + b[i];
        }
        return y;
    }

    const model::Config& c;
    const model::ParameterLayout& layout;
    Numbers weights;
};

} // namespace warplight::test
