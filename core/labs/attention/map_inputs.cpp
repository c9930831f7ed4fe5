// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/map_inputs.h"

#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/tensors.h"
#include "core/tensor/pieces.h"
#include "core/tensor/random.h"
#include "core/tensor/release.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <numbers>
#include <utility>

namespace warplight::labs::attention {
namespace {

constexpr double sharpness = 9;      // the largest score a structure adds, in natural units
constexpr double noise = 0.35;       // standard deviation of Q and K around the structure
constexpr int64_t stridePeriod = 64; // keys from stripe to stripe
constexpr int64_t vocabulary = 97;   // different tokens of the induction example

/// Adds features f to both sides so that the scaled score gains `gain` · mean over waves of cos(w · (i - j)).
class Builder {
  public:
    Builder(MapInputs& inputs, const std::atomic<bool>* cancel) : x(inputs), cancel(cancel) {}

    void waves(int64_t firstFeature, const std::vector<double>& frequencies, double gain) {
        const double amplitude =
            std::sqrt(gain * std::sqrt(static_cast<double>(x.headDim)) / static_cast<double>(frequencies.size()));
        forEachRow([&](int64_t i) {
            for (size_t f = 0; f < frequencies.size(); ++f)
                for (int64_t part = 0; part < 2; ++part) {
                    const double angle = frequencies[f] * static_cast<double>(i);
                    const auto value = static_cast<float>(amplitude * (part ? std::sin(angle) : std::cos(angle)));
                    const auto at =
                        static_cast<size_t>(i * x.headDim + firstFeature + 2 * static_cast<int64_t>(f) + part);
                    x.q[at] += value;
                    x.k[at] += value;
                }
        });
    }

    void local(int64_t firstFeature, int64_t features, double gain) {
        std::vector<double> frequencies;
        for (int64_t f = 0; f < features / 2; ++f) // wavelengths from 8 to 4096 keys, evenly in their logarithm
            frequencies.push_back(2 * std::numbers::pi /
                                  (8 * std::pow(512, static_cast<double>(f) /
                                                         static_cast<double>(std::max<int64_t>(features / 2 - 1, 1)))));
        waves(firstFeature, frequencies, gain);
    }

    void strided(int64_t firstFeature, int64_t features, double gain) {
        std::vector<double> frequencies;
        for (int64_t f = 1; f <= features / 2; ++f)
            frequencies.push_back(2 * std::numbers::pi * static_cast<double>(f) / static_cast<double>(stridePeriod));
        waves(firstFeature, frequencies, gain);
    }

    void induction(int64_t firstFeature, int64_t features, double gain, uint64_t seed) {
        std::vector<float> choice(static_cast<size_t>(x.queryLen)),
            directions(static_cast<size_t>(vocabulary * features));
        tensor::fillUniform(choice, seed, 10, 0, static_cast<float>(vocabulary), cancel);
        tensor::fillGaussian(directions, seed, 11, 1, cancel);
        const float amplitude = static_cast<float>(
            std::sqrt(gain * std::sqrt(static_cast<double>(x.headDim)) / static_cast<double>(features)));
        const auto token = [&](int64_t i) {
            return static_cast<int64_t>(choice[static_cast<size_t>(i % std::max<int64_t>(x.queryLen / 2, 1))]);
        };
        forEachRow([&](int64_t i) {
            for (int64_t f = 0; f < features; ++f) {
                x.q[static_cast<size_t>(i * x.headDim + firstFeature + f)] +=
                    amplitude * directions[static_cast<size_t>(token(i) * features + f)];
                if (i > 0) // the key knows which token came before it
                    x.k[static_cast<size_t>(i * x.headDim + firstFeature + f)] +=
                        amplitude * directions[static_cast<size_t>(token(i - 1) * features + f)];
            }
        });
    }

    void sink(int64_t feature, double gain) {
        const double each = std::sqrt(gain * std::sqrt(static_cast<double>(x.headDim)));
        for (int64_t i = 0; i < x.queryLen; ++i)
            x.q[static_cast<size_t>(i * x.headDim + feature)] += static_cast<float>(each);
        x.k[static_cast<size_t>(feature)] += static_cast<float>(each);
    }

  private:
    template <class Use>
    void forEachRow(const Use& use) const {
        for (int64_t i = 0; i < x.queryLen; ++i) {
            checkCancelled(cancel);
            use(i);
        }
    }

    MapInputs& x;
    const std::atomic<bool>* cancel;
};

} // namespace

std::vector<lab::Parameter::Option> mapInputKinds() {
    std::vector<lab::Parameter::Option> kinds{
        {"mixed", "Local, strided and sink", "what trained heads show most, at once"},
        {"local", "Local", "near keys weigh most"},
        {"strided", "Strided", fmt::format("every {}th key back", stridePeriod)},
        {"induction", "Induction-like",
         "the text comes twice: a query finds the key behind the last time its own token came"},
        {"sink", "Sink", "the first key takes most of the mass"},
    };
    for (const auto& kind : inputKinds())
        kinds.push_back(kind);
    kinds.push_back({"files", "Your files", "Q and K from the files below"});
    return kinds;
}

MapInputs makeMapInputs(const std::string& kind, int64_t queryLen, int64_t keyLen, int64_t headDim, uint64_t seed,
                        const std::atomic<bool>* cancel) {
    for (const auto& known : inputKinds())
        if (known.id == kind) {
            cpu::AttentionProblem shape;
            shape.queryLen = queryLen;
            shape.keyLen = keyLen;
            shape.headDim = headDim;
            AttentionInputs inputs = makeInputs(shape, kind, seed, cancel);
            return {queryLen, keyLen, headDim, std::move(inputs.q), std::move(inputs.k)};
        }
    const int64_t length = queryLen;
    constexpr int64_t fewest = 8;
    if (headDim < fewest)
        throw InputError(fmt::format("headDim is {}, expected at least {} for a structured map", headDim, fewest));
    if (keyLen != queryLen)
        throw InputError(fmt::format("keyLen is {}, expected 0 or {} (as many keys as queries) for a structured map",
                                     keyLen, queryLen));
    MapInputs inputs{length, length, headDim, {}, {}};
    const ReleasesBeside release(inputs);
    growTo(inputs.q, static_cast<size_t>(length * headDim), cancel);
    growTo(inputs.k, inputs.q.size(), cancel);
    tensor::fillGaussian(inputs.q, seed, 0, static_cast<float>(noise), cancel);
    tensor::fillGaussian(inputs.k, seed, 1, static_cast<float>(noise), cancel);
    Builder build(inputs, cancel);
    const int64_t even = (headDim - 1) / 2 * 2, half = even / 4 * 2;
    if (kind == "local")
        build.local(0, even, sharpness);
    else if (kind == "strided")
        build.strided(0, even, sharpness);
    else if (kind == "induction")
        build.induction(0, headDim - 1, sharpness, seed);
    else if (kind == "sink")
        build.sink(headDim - 1, sharpness);
    else if (kind == "mixed") {
        build.local(0, half, 0.5 * sharpness);
        build.strided(half, even - half, 0.35 * sharpness);
        build.sink(headDim - 1, 0.85 * sharpness);
    } else
        throw InputError(fmt::format("input '{}' is not known, expected one of the kinds that describe lists", kind));
    return inputs;
}

MapInputs loadMapInputs(const MapFiles& files, const std::string& layout, int64_t head,
                        const std::atomic<bool>* cancel) {
    if (files.q.empty() || files.k.empty())
        throw InputError("qFile and kFile are empty, expected files with Q and K, for example qkv.npz:q");
    const Layout order = layoutByName(layout);
    std::array<tensor::Tensor, 3> all;
    const ReleasesBeside release(all);
    auto& [q, k, v] = all;
    k = formats::loadTensor(files.k, cancel);
    if (!files.v.empty())
        v = formats::loadTensor(files.v, cancel);
    q = formats::loadTensor(files.q, cancel);
    const cpu::AttentionProblem p =
        problemOf(q.shape, k.shape, files.v.empty() ? k.shape : v.shape, order, files.q, files.k, files.v);
    const int64_t heads = p.batch * p.queryHeads;
    if (head >= heads)
        throw InputError(
            fmt::format("head is {}, expected 0 to {} (batch times heads of {})", head, heads - 1, files.q));
    const int64_t keyHead = head / p.queryHeads * p.keyHeads + head % p.queryHeads / (p.queryHeads / p.keyHeads);
    MapInputs one{p.queryLen, p.keyLen, p.headDim, headOf(std::move(q), order, head, cancel),
                  headOf(std::move(k), order, keyHead, cancel)};
    if (!files.v.empty())
        one.v = headOf(std::move(v), order, keyHead, cancel);
    return one;
}

} // namespace warplight::labs::attention
