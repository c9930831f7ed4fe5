// SPDX-License-Identifier: GPL-3.0-or-later
// GPT-2's forward pass and loss in double precision, as plain loops from its equations.
#pragma once

#include "core/model/model.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

namespace warplight::test {

using Numbers = std::vector<double>;

class ReferenceGpt {
  public:
    explicit ReferenceGpt(const model::Model& m)
        : c(m.config), layout(m.layout), weights(m.weights.all().begin(), m.weights.all().end()) {}

    /// Logits [length, vocabulary] of one sequence.
    Numbers logits(const std::vector<int32_t>& tokens) const {
        const size_t n = tokens.size(), f = static_cast<size_t>(c.features);
        Numbers x(n * f);
        for (size_t t = 0; t < n; ++t)
            for (size_t i = 0; i < f; ++i)
                x[t * f + i] = at("wte.weight")[static_cast<size_t>(tokens[t]) * f + i] + at("wpe.weight")[t * f + i];
        for (int64_t layer = 0; layer < c.layers; ++layer) {
            const std::string h = "h." + std::to_string(layer) + ".";
            const Numbers qkv = linear(norm(x, h + "ln_1"), h + "attn.c_attn", f, 3 * f);
            add(x, linear(attention(qkv, n), h + "attn.c_proj", f, f));
            Numbers up = linear(norm(x, h + "ln_2"), h + "mlp.c_fc", f, static_cast<size_t>(c.hidden));
            for (double& v : up)
                v = v / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v)));
            add(x, linear(up, h + "mlp.c_proj", static_cast<size_t>(c.hidden), f));
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

    /// One weight, by its place in the layout's buffer.
    double& weight(int64_t place) { return weights[static_cast<size_t>(place)]; }

  private:
    const double* at(const std::string& name) const { return weights.data() + layout.find(name)->begin; }

    static void add(Numbers& x, const Numbers& y) {
        for (size_t i = 0; i < x.size(); ++i)
            x[i] += y[i];
    }

    Numbers linear(const Numbers& x, const std::string& name, size_t in, size_t out) const {
        const double *w = at(name + ".weight"), *b = at(name + ".bias");
        Numbers y(x.size() / in * out);
        for (size_t r = 0; r < x.size() / in; ++r)
            for (size_t o = 0; o < out; ++o) {
                double sum = b[o];
                for (size_t i = 0; i < in; ++i)
                    sum += x[r * in + i] * w[i * out + o];
                y[r * out + o] = sum;
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

    Numbers attention(const Numbers& qkv, size_t n) const {
        const auto f = static_cast<size_t>(c.features), d = static_cast<size_t>(c.headFeatures());
        Numbers y(n * f);
        for (size_t head = 0; head < f; head += d)
            for (size_t i = 0; i < n; ++i) {
                Numbers p(i + 1);
                double all = 0;
                for (size_t j = 0; j <= i; ++j) {
                    double score = 0;
                    for (size_t x = 0; x < d; ++x)
                        score += qkv[i * 3 * f + head + x] * qkv[j * 3 * f + f + head + x];
                    all += p[j] = std::exp(score / std::sqrt(static_cast<double>(d)));
                }
                for (size_t j = 0; j <= i; ++j)
                    for (size_t x = 0; x < d; ++x)
                        y[i * f + head + x] += p[j] / all * qkv[j * 3 * f + 2 * f + head + x];
            }
        return y;
    }

    const model::Config& c;
    const model::ParameterLayout& layout;
    Numbers weights;
};

} // namespace warplight::test
