// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/sampler.h"

#include "core/error.h"
#include "core/tensor/philox.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <numeric>

namespace warplight::model {

Sampler::Sampler(const Sampling& how) : sampling(how) {
    if (!std::isfinite(how.temperature) || how.temperature <= 0)
        throw InputError(fmt::format("temperature: {} is not possible, expected a number above 0", how.temperature));
    if (how.most < 0)
        throw InputError(fmt::format("top-k: {} is not possible, expected a whole number of at least 1", how.most));
}

int32_t Sampler::next(std::span<const float> logits) {
    const auto largest = std::max_element(logits.begin(), logits.end());
    if (sampling.greedy)
        return static_cast<int32_t>(largest - logits.begin());
    order.resize(logits.size());
    std::iota(order.begin(), order.end(), 0);
    if (sampling.most > 0 && sampling.most < static_cast<int64_t>(order.size())) {
        const auto end = order.begin() + sampling.most;
        std::partial_sort(order.begin(), end, order.end(), [&](int32_t a, int32_t b) {
            const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
            return x > y || (x == y && a < b);
        });
        order.erase(end, order.end());
    }
    weights.resize(order.size());
    double sum = 0;
    for (size_t i = 0; i < order.size(); ++i)
        sum += weights[i] =
            std::exp(static_cast<double>(logits[static_cast<size_t>(order[i])] - *largest) / sampling.temperature);
    const auto words =
        tensor::philox({static_cast<uint32_t>(chosen), static_cast<uint32_t>(chosen >> 32), 0, 0x5A3B},
                       {static_cast<uint32_t>(sampling.seed), static_cast<uint32_t>(sampling.seed >> 32)});
    ++chosen;
    double left = (static_cast<double>(words[0]) + 0.5) / 4294967296.0 * sum;
    for (size_t i = 0; i < order.size(); ++i)
        if ((left -= weights[i]) <= 0)
            return order[i];
    return order.back();
}

} // namespace warplight::model
