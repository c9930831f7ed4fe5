// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/adamw.h"

#include "core/cpu/cast/kernels.h"
#include "core/model/kernels.h"
#include "core/model/rounder.h"
#include "core/model/spread.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>

namespace warplight::model {
namespace {

constexpr int64_t pieceLength = 1 << 14; // few enough that their squares add up well in f32
constexpr int64_t cacheLine = 16;        // what the layout aligns parameters to, in floats

/// Of one piece; `before` is what its weights were.
Updates updatesOf(bool decays, const float* before, const float* weights, const float* first, int64_t count) {
    int32_t wanted = 0, lost = 0;
    for (int64_t i = 0; i < count; ++i) {
        const int32_t moves = static_cast<int32_t>(first[i] != 0) | static_cast<int32_t>(decays & (before[i] != 0));
        wanted += moves;
        lost += moves & static_cast<int32_t>(before[i] == weights[i]);
    }
    return {wanted, lost};
}

} // namespace

AdamW::AdamW(const ParameterLayout& layout) : first(layout), second(layout) {
    for (const ParameterPlace& place : layout.places())
        for (int64_t begin = 0; begin < place.count; begin += pieceLength)
            pieces.push_back({place.begin + begin, std::min(pieceLength, cpu::roundUp(place.count, cacheLine) - begin),
                              place.decays});
    squares.resize(pieces.size());
}

double AdamW::gradientNorm(const ParameterBuffer& gradients, const cpu::RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    const float* g = gradients.all().data();
    spread(static_cast<int64_t>(pieces.size()), options, [&](int64_t item) {
        const Piece& piece = pieces[static_cast<size_t>(item)];
        squares[static_cast<size_t>(item)] =
            static_cast<double>(kernel.dot(g + piece.begin, g + piece.begin, piece.count));
    });
    double sum = 0;
    for (const double square : squares)
        sum += square;
    return std::sqrt(sum);
}

Updates AdamW::step(const Recipe& recipe, int64_t number, double norm, const ParameterBuffer& gradients,
                    ParameterBuffer& weights, const cpu::RunOptions& options, const WeightStore& store) {
    const ModelKernels& kernel = modelKernels();
    const double rate = rateAt(recipe, number), t = static_cast<double>(number + 1 - skipped);
    AdamWStep step;
    step.gradientScale = recipe.clip > 0 && norm > recipe.clip ? static_cast<float>(recipe.clip / norm) : 1.0f;
    step.beta1 = static_cast<float>(recipe.beta1);
    step.beta2 = static_cast<float>(recipe.beta2);
    step.rate = static_cast<float>(rate / (1 - std::pow(recipe.beta1, t)));
    step.secondScale = static_cast<float>(1 / std::sqrt(1 - std::pow(recipe.beta2, t)));
    step.epsilon = static_cast<float>(recipe.epsilon);
    AdamWStep decaying = step;
    decaying.keep = static_cast<float>(1 - rate * recipe.weightDecay);
    std::atomic<int64_t> wanted{0}, lost{0};
    spread(static_cast<int64_t>(pieces.size()), options, [&](int64_t item) {
        const Piece& p = pieces[static_cast<size_t>(item)];
        float before[pieceLength], *w = weights.all().data() + p.begin, *m = first.all().data() + p.begin;
        std::copy_n(w, p.count, before);
        kernel.adamW(p.decays ? decaying : step, gradients.all().data() + p.begin, p.count, w, m,
                     second.all().data() + p.begin);
        if (store.stochastic)
            roundStochastically(store.seed, number, p.begin, w, p.count);
        else if (store.format)
            cpu::castKernels().cast(w, w, p.count, 1, cpu::smallFloat(*store.format));
        const Updates updates = updatesOf(p.decays, before, w, m, p.count);
        wanted += updates.wanted;
        lost += updates.lost;
    });
    return {wanted, lost};
}

} // namespace warplight::model
