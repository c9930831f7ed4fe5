// SPDX-License-Identifier: GPL-3.0-or-later
// The steps of gpu/kernels/attention_f8.cu: a row goes through its keys tile by tile with a running maximum.
#include "core/cpu/attention/half_products.h"
#include "core/cpu/attention/half_steps.h"
#include "gpu/number/small_float.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace warplight::cpu {
namespace {

using number::Sums;

constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
constexpr float log2e = 1.4426950408889634f;
constexpr float weightExponent = 8;    ///< of 256, which weights are multiplied by
constexpr float roundsToLargest = 464; ///< the largest that e4m3 rounds to 448 and not beyond

float toE4M3(float x) {
    return number::fromFloat8<number::E4M3>(number::toFloat8<number::E4M3>(static_cast<double>(x)));
}

/// ex2.approx.ftz but for its last bits.
float exp2Flushed(float x) {
    const float y = std::exp2(x);
    return y < std::numeric_limits<float>::min() ? 0 : y;
}

float baseOf(float most) { return most == -infinity ? 0 : most; }

} // namespace

float HalfSteps::scaleToE4M3(const float* x, int64_t count) {
    float most = 0;
    for (int64_t i = 0; i < count; ++i)
        most = std::isfinite(x[i]) ? std::max(most, std::fabs(x[i])) : most;
    return most == 0 ? 1 : std::min(static_cast<float>(number::E4M3::largest) / most, 0x1p126f);
}

float HalfSteps::scaledToE4M3(float x, float scale) { return std::isfinite(x) ? toE4M3(x * scale) : nan; }

float HalfSteps::scoreFactor(float scale, float scaleQ, float scaleK) {
    constexpr double most = std::numeric_limits<float>::max(); // 0 stays 0
    return static_cast<float>(std::clamp(
        static_cast<double>(scale) / (static_cast<double>(scaleQ) * static_cast<double>(scaleK)), -most, most));
}

void HalfSteps::finishInTiles(int64_t query, Row& row) const {
    const auto note = [&row](HalfStep step, int64_t key, int64_t at, float x) {
        if (row.origin.step == HalfStep::None && !std::isfinite(x))
            row.origin = {step, key, at};
    };
    const int64_t seen = visible(query);
    const auto width = static_cast<size_t>(valueStride);
    float most = recipe.subtractMaximum ? -infinity : 0;
    std::array<float, 4> sums{}; // of the lanes that share a row: of 16 keys four each
    std::vector<float> bases, factors(static_cast<size_t>(block + 1)), addends(factors.size() * width), sum(width);
    std::vector<int32_t> firstOfTile(width), first(width, -1);
    row.weights.assign(row.scores.size(), 0);
    for (int64_t begin = 0; begin < seen; begin += block) {
        const int64_t end = std::min(begin + block, seen);
        float next = most;
        for (int64_t key = begin; recipe.subtractMaximum && key < end; ++key)
            next = std::fmax(next, row.scores[static_cast<size_t>(key)]);
        const float base = baseOf(next), rescale = exp2Flushed((most - base) * log2e);
        most = next;
        bases.push_back(base);
        std::array<float, 4> ofTile{};
        for (int64_t key = begin; key < end; ++key) {
            float weight = exp2Flushed(std::fma(row.scores[static_cast<size_t>(key)] - base, log2e, weightExponent));
            ofTile[static_cast<size_t>(key % 16 / 4)] += weight;
            weight = weight > roundsToLargest || std::isnan(weight) ? nan : toE4M3(weight);
            row.weights[static_cast<size_t>(key)] = factors[static_cast<size_t>(1 + key - begin)] = weight;
            note(HalfStep::Exponential, key, -1, weight);
        }
        for (size_t lane = 0; lane < sums.size(); ++lane)
            sums[lane] = std::fma(sums[lane], rescale, ofTile[lane]);
        if (valueStride == 0)
            continue;
        factors[0] = 1; // times what the sums are so far
        for (size_t c = 0; c < width; ++c)
            addends[c] = sum[c] * rescale;
        std::copy(values.begin() + begin * valueStride, values.begin() + end * valueStride,
                  addends.begin() + valueStride);
        halfProducts().exact(Sums::Single, factors.data(), addends.data(), valueStride, 1 + end - begin, valueStride,
                             sum.data(), firstOfTile.data());
        for (size_t c = 0; c < width; ++c)
            if (first[c] < 0 && firstOfTile[c] >= 0)
                first[c] = static_cast<int32_t>(begin) + std::max(firstOfTile[c] - 1, 0);
    }
    const float total = (sums[0] + sums[2]) + (sums[1] + sums[3]), inverse = 1 / total;
    row.sum = total * 0x1p-8f;
    note(HalfStep::RowSum, -1, -1, row.sum);
    row.lse = total == 0 ? -infinity : baseOf(most) + std::log(row.sum);
    for (int64_t key = 0; key < seen; ++key) // as they are meant
        if (float& weight = row.weights[static_cast<size_t>(key)]; weight != 0)
            weight *= exp2Flushed((bases[static_cast<size_t>(key / block)] - baseOf(most)) * log2e) * inverse;
    if (valueStride == 0)
        return;
    row.output.resize(static_cast<size_t>(problem.headDim));
    for (size_t c = 0; c < row.output.size(); ++c) {
        row.output[c] = total == 0 ? 0 : sum[c] * inverse * outputScale;
        note(std::isfinite(sum[c]) ? HalfStep::OutputStore : HalfStep::OutputSum, -1, first[c], row.output[c]);
    }
}

} // namespace warplight::cpu
