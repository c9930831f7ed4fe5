#include "core/labs/allreduce/replay.h"

#include <algorithm>
#include <cstring>

namespace warplight::labs {

Replay::Replay(const collectives::MessageLog& log, tensor::DType type, collectives::Reduction reduction,
               RankVectors inputs)
    : log(log), type(type), reduction(reduction), vectors(std::move(inputs)) {
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
            collectives::combine(type, reduction, into, carried[i].data(), now[i]->range.size());
        else if (!carried[i].empty())
            std::memcpy(into, carried[i].data(), carried[i].size());
    }
    return true;
}

bool Replay::matches(const RankVectors& results) const {
    if (reduction != collectives::Reduction::Average)
        return vectors == results;
    RankVectors divided = vectors;
    for (auto& vector : divided)
        collectives::divide(type, vector.data(), log.elements, log.ranks);
    return divided == results;
}

} // namespace warplight::labs
