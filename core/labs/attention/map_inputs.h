// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/parameter.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::attention {

/// Q and K of one head whose map shows a known structure.
struct MapInputs {
    int64_t queryLen = 0, keyLen = 0, headDim = 0;
    std::vector<float> q, k; ///< [length, headDim]
    std::vector<float> v{};  ///< [keyLen, headDim], where a page asks for it
};

/// "mixed", "local", "strided", "induction", "sink", the kinds of inputKinds(), and "files".
std::vector<lab::Parameter::Option> mapInputKinds();

/// Structured inputs from features whose inner products are known: waves of the position (local: many frequencies;
/// strided: harmonics of one period), random vectors per token (induction: a query looks for the key behind the last
/// time its own token came), a direction that all queries share with the first key (sink). They need a headDim
/// of at least 8 and as many keys as queries. The kinds of inputKinds() are those that Accuracy judges, number for
/// number.
/// Throws InputError for what does not go together, Cancelled.
MapInputs makeMapInputs(const std::string& kind, int64_t queryLen, int64_t keyLen, int64_t headDim, uint64_t seed,
                        const std::atomic<bool>* cancel = nullptr);

struct MapFiles {
    std::string q, k, v; ///< as formats::loadTensor takes them; no `v`: none is loaded
};
/// One head (batch times heads, counted from 0) of the user's tensors; `layout` as layoutByName has it. Throws
/// InputError for files, shapes and heads that do not go together, Cancelled.
MapInputs loadMapInputs(const MapFiles& files, const std::string& layout, int64_t head,
                        const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::labs::attention
