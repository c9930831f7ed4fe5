// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/message_log.h"

#include "core/error.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <stdexcept>

namespace warplight::collectives {
namespace {

constexpr int bitsPerWord = 64;
constexpr size_t mostWords = size_t{1} << 27; // 1 GiB

} // namespace

Contributions::Contributions(const MessageLog& log)
    : rankCount(log.ranks),
      chunkCount(static_cast<int>(log.chunkBorders.size()) - 1),
      wordsPerSet(static_cast<size_t>((log.ranks + bitsPerWord - 1) / bitsPerWord)) {
    if (rankCount < 1 || chunkCount < 1)
        throw std::runtime_error("a log without ranks or chunks");
    int64_t stepCount = 0;
    for (const Message& message : log.messages)
        stepCount = std::max(stepCount, message.step + 1);
    const auto perRank = static_cast<size_t>(chunkCount) * wordsPerSet,
               perStep = static_cast<size_t>(rankCount) * perRank;
    if (static_cast<size_t>(stepCount + 1) > mostWords / perStep)
        throw InputError(fmt::format("ranks is {} and there are {} steps of {} chunks: what each rank holds after each "
                                     "step takes more than 1 GiB",
                                     rankCount, stepCount, chunkCount));
    sets.resize(static_cast<size_t>(stepCount + 1) * perStep);
    for (size_t rank = 0; rank < static_cast<size_t>(rankCount); ++rank)
        for (size_t chunk = 0; chunk < static_cast<size_t>(chunkCount); ++chunk)
            sets[rank * perRank + chunk * wordsPerSet + rank / bitsPerWord] |= uint64_t{1} << rank % bitsPerWord;

    auto next = log.messages.begin();
    for (int64_t step = 0; step < stepCount; ++step) {
        const uint64_t* before = sets.data() + static_cast<size_t>(step) * perStep;
        uint64_t* after = sets.data() + static_cast<size_t>(step + 1) * perStep;
        std::copy_n(before, perStep, after);
        for (; next != log.messages.end() && next->step == step; ++next) {
            // The chunks within the range. Empty ones carry nothing and could lie within two ranges: they stay.
            const auto& borders = log.chunkBorders;
            const auto first = std::lower_bound(borders.begin(), borders.end(), next->range.begin) - borders.begin();
            for (auto chunk = static_cast<size_t>(first);
                 chunk < static_cast<size_t>(chunkCount) && borders[chunk + 1] <= next->range.end; ++chunk) {
                if (borders[chunk] == borders[chunk + 1])
                    continue;
                const uint64_t* from = before + static_cast<size_t>(next->source) * perRank + chunk * wordsPerSet;
                uint64_t* into = after + static_cast<size_t>(next->destination) * perRank + chunk * wordsPerSet;
                for (size_t word = 0; word < wordsPerSet; ++word) {
                    const uint64_t twice = next->reduce ? into[word] & from[word] : 0;
                    if (twice != 0)
                        throw std::runtime_error(fmt::format(
                            "step {}: rank {} counts rank {}'s contribution to chunk {} twice, the second time from "
                            "rank {}",
                            step, next->destination, word * bitsPerWord + static_cast<size_t>(std::countr_zero(twice)),
                            chunk, next->source));
                    into[word] = next->reduce ? into[word] | from[word] : from[word];
                }
            }
        }
    }
    if (next != log.messages.end())
        throw std::runtime_error("a log whose messages are not ordered by step");
}

std::vector<int> Contributions::at(int64_t step, int rank, int chunk) const {
    if (step < -1 || step >= steps() || rank < 0 || rank >= rankCount || chunk < 0 || chunk >= chunkCount)
        throw std::out_of_range("no such step, rank or chunk");
    const uint64_t* set =
        sets.data() + ((static_cast<size_t>(step + 1) * static_cast<size_t>(rankCount) + static_cast<size_t>(rank)) *
                           static_cast<size_t>(chunkCount) +
                       static_cast<size_t>(chunk)) *
                          wordsPerSet;
    std::vector<int> ranks;
    for (int other = 0; other < rankCount; ++other)
        if (set[other / bitsPerWord] >> other % bitsPerWord & 1)
            ranks.push_back(other);
    return ranks;
}

int64_t Contributions::steps() const {
    const size_t perStep = static_cast<size_t>(rankCount) * static_cast<size_t>(chunkCount) * wordsPerSet;
    return static_cast<int64_t>(sets.size() / perStep) - 1;
}

} // namespace warplight::collectives
