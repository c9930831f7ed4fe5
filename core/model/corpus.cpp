// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/corpus.h"

#include "core/error.h"
#include "core/tensor/philox.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <utility>

namespace warplight::model {

Corpus::Corpus(std::vector<int32_t> tokens, std::string where) : text(std::move(tokens)), name(std::move(where)) {
    for (const int32_t token : text)
        hash = (hash ^ static_cast<uint32_t>(token)) * 0x100000001B3;
}

void Corpus::sequences(uint64_t seed, int64_t step, int64_t length, std::span<int32_t> tokens,
                       std::span<int32_t> targets) const {
    if (size() <= length)
        throw InputError(fmt::format("{}: holds {} tokens, expected at least {}, one more than a sequence has", name,
                                     size(), length + 1));
    const auto number = static_cast<uint64_t>(step), choices = static_cast<uint64_t>(size() - length);
    const auto count = static_cast<size_t>(length);
    for (size_t row = 0; row * count < tokens.size(); ++row) {
        const auto words = tensor::philox({static_cast<uint32_t>(number), static_cast<uint32_t>(number >> 32),
                                           static_cast<uint32_t>(row), 0x7E47}, // streams of initialise() are far below
                                          {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
        const auto begin = static_cast<int64_t>((uint64_t{words[0]} << 32 | words[1]) % choices);
        std::copy_n(text.begin() + begin, count, tokens.begin() + static_cast<std::ptrdiff_t>(row * count));
        std::copy_n(text.begin() + begin + 1, count, targets.begin() + static_cast<std::ptrdiff_t>(row * count));
    }
}

} // namespace warplight::model
