// SPDX-License-Identifier: GPL-3.0-or-later
// What the recurrences beside SSD have in common.
#pragma once

#include "core/cpu/run.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace warplight::cpu {

/// The rungs of LRU, RWKV-4 and RWKV-6.
enum class RecurrenceRung {
    Reference, ///< Plain in double precision, rounded once
    Plain,     ///< a number after the other
    Vectors    ///< as many channels at once as a vector has room for
};
inline std::span<const RungInfo<RecurrenceRung>> recurrenceRungs() {
    static constexpr std::array<RungInfo<RecurrenceRung>, 3> rungs{{
        {RecurrenceRung::Reference, "reference", "double precision, step by step",
         "nothing: this is the formula that every other rung is judged by"},
        {RecurrenceRung::Plain, "plain", "a channel after the other",
         "f32; memory is walked along as the formula says, a stride of all channels at each step"},
        {RecurrenceRung::Vectors, "vectors", "channels side by side in vectors",
         "channels know nothing of one another: a vector holds many, states stay in the first caches, and steps come "
         "in "
         "blocks"},
    }};
    return rungs;
}

/// Channels and steps that one call of a kernel goes through: some pages of memory, some microseconds.
constexpr int64_t channelsOfBlock = 128, stepsOfCall = 64;

} // namespace warplight::cpu
