// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/model/model.h"
#include "core/model/sampler.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace warplight::model {

/// Puts `count` tokens behind a prompt, each chosen from the logits of all before it; `chosen`, if any, is told each as
/// it comes. Where the model's context is full, the later half of it is what goes on being seen. Throws InputError for
/// an empty prompt or tokens that the model does not have; Cancelled. Gated attention units have no keys and values to
/// keep: there a token costs a pass over the whole context.
std::vector<int32_t> generate(const Model& model, std::span<const int32_t> prompt, int64_t count,
                              const Sampling& sampling, const cpu::RunOptions& options = {},
                              const std::function<void(int32_t)>& chosen = {});

/// What that holds, besides the model.
int64_t generationBytes(const Config& config);

} // namespace warplight::model
