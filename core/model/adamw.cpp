// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/adamw.h"

#include "core/model/kernels.h"
#include "core/model/spread.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace warplight::model {
namespace {

constexpr int64_t pieceLength = 1 << 14; // few enough that their squares add up well in f32
constexpr int64_t cacheLine = 16;        // what the layout aligns parameters to, in floats

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

void AdamW::step(const Recipe& recipe, int64_t number, double norm, const ParameterBuffer& gradients,
                 ParameterBuffer& weights, const cpu::RunOptions& options) {
    const ModelKernels& kernel = modelKernels();
    const double rate = rateAt(recipe, number), t = static_cast<double>(number + 1);
    AdamWStep step;
    step.gradientScale = recipe.clip > 0 && norm > recipe.clip ? static_cast<float>(recipe.clip / norm) : 1.0f;
    step.beta1 = static_cast<float>(recipe.beta1);
    step.beta2 = static_cast<float>(recipe.beta2);
    step.rate = static_cast<float>(rate / (1 - std::pow(recipe.beta1, t)));
    step.secondScale = static_cast<float>(1 / std::sqrt(1 - std::pow(recipe.beta2, t)));
    step.epsilon = static_cast<float>(recipe.epsilon);
    AdamWStep decaying = step;
    decaying.keep = static_cast<float>(1 - rate * recipe.weightDecay);
    spread(static_cast<int64_t>(pieces.size()), options, [&](int64_t item) {
        const Piece& p = pieces[static_cast<size_t>(item)];
        kernel.adamW(p.decays ? decaying : step, gradients.all().data() + p.begin, p.count,
                     weights.all().data() + p.begin, first.all().data() + p.begin, second.all().data() + p.begin);
    });
}

} // namespace warplight::model
