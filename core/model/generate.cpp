// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/generate.h"

#include "core/model/decoder.h"

#include <algorithm>
#include <cstddef>

namespace warplight::model {

std::vector<int32_t> generate(const Model& model, std::span<const int32_t> prompt, int64_t count,
                              const Sampling& sampling, const cpu::RunOptions& options,
                              const std::function<void(int32_t)>& chosen) {
    Sampler sampler(sampling);
    Decoder decoder(model, options);
    std::vector<int32_t> all(prompt.begin(), prompt.end());
    const int64_t context = model.config.context;
    const auto last = [&](int64_t tokens) {
        const auto seen = std::min(all.size(), static_cast<size_t>(tokens));
        return std::span<const int32_t>(all).subspan(all.size() - seen);
    };
    std::span<const float> logits = decoder.append(last(context));
    for (int64_t i = 0; i < count; ++i) {
        all.push_back(sampler.next(logits));
        if (chosen)
            chosen(all.back());
        if (i + 1 == count)
            break;
        if (decoder.length() < context) {
            logits = decoder.append(last(1));
        } else {
            decoder.clear();
            logits = decoder.append(last(std::max<int64_t>(1, context / 2)));
        }
    }
    return {all.begin() + static_cast<std::ptrdiff_t>(prompt.size()), all.end()};
}

} // namespace warplight::model
