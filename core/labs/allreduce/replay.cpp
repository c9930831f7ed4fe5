// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/replay.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace warplight::labs::allreduce {

Replay::Replay(const collectives::MessageLog& log, const CollectiveJob& job, RankVectors inputs)
    : log(log), job(job), vectors(std::move(inputs)) {
    for (const auto& message : log.messages)
        stepCount = std::max(stepCount, message.step + 1);
}

std::vector<const collectives::Message*> Replay::messages(int64_t step) const {
    std::vector<const collectives::Message*> found;
    const auto first = std::lower_bound(log.messages.begin(), log.messages.end(), step,
                                        [](const auto& message, int64_t wanted) { return message.step < wanted; });
    for (auto at = first; at != log.messages.end() && at->step == step; ++at)
        found.push_back(&*at);
    std::stable_sort(found.begin(), found.end(), [](auto* a, auto* b) { return a->end < b->end; });
    return found;
}

bool Replay::next() {
    if (current + 1 >= stepCount)
        return false;
    ++current;
    const auto now = messages(current);
    std::vector<std::vector<std::byte>> carried; // as it was before the step
    for (const auto* message : now) {
        const auto from = vector(message->source)
                              .subspan(static_cast<size_t>(message->range.begin * log.elementBytes),
                                       static_cast<size_t>(message->range.size() * log.elementBytes));
        carried.emplace_back(from.begin(), from.end());
    }
    for (size_t i = 0; i < now.size(); ++i) {
        std::byte* into =
            vectors[static_cast<size_t>(now[i]->destination)].data() + now[i]->range.begin * log.elementBytes;
        if (now[i]->reduce)
            collectives::combine(job.type, job.reduction, into, carried[i].data(), now[i]->range.size());
        else if (!carried[i].empty())
            std::memcpy(into, carried[i].data(), carried[i].size());
    }
    return true;
}

RankVectors Replay::finished() const {
    RankVectors result = vectors;
    const bool parts = job.collective == collectives::Collective::ReduceScatter;
    if (job.reduction == collectives::Reduction::Average &&
        (parts || job.collective == collectives::Collective::Allreduce))
        for (int rank = 0; rank < log.ranks; ++rank) {
            const collectives::Range range =
                parts ? collectives::chunkRange(log.elements, log.ranks, rank) : collectives::Range{0, log.elements};
            collectives::divide(job.type, result[static_cast<size_t>(rank)].data() + range.begin * log.elementBytes,
                                range.size(), log.ranks);
        }
    return result;
}

} // namespace warplight::labs::allreduce
