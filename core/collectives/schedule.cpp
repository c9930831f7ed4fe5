// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/schedules.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace warplight::collectives {
namespace {

constexpr int mostRanks = 1 << 20; // trees keep a few words for each

using enum Collective;

struct Entry {
    Algorithm description;
    ScheduleMaker* make;
};

const std::vector<Entry>& entries() {
    static const std::vector<Entry> all{
        {{"naive",
          "Naive",
          "Every rank in turn sends its whole vector to rank 0, which adds it up and sends the sum back to each in "
          "turn.",
          {Allreduce, Broadcast}},
         makeNaive},
        {{"parameter-server",
          "Sharded parameter server",
          "Every rank serves one chunk: all others send it theirs at once, and get the sum back at once.",
          {Allreduce, ReduceScatter, AllGather}},
         makeParameterServer},
        {{"ring",
          "Ring",
          "Chunks go round a ring, each rank adding its part, until every rank owns one sum; then the sums go round.",
          {Allreduce, ReduceScatter, AllGather}},
         makeRing},
        {{"recursive-doubling",
          "Recursive doubling",
          "Ranks at distance 1, 2, 4 and so on exchange whole vectors, so that each sum covers twice as many ranks.",
          {Allreduce}},
         makeRecursiveDoubling},
        {{"halving-doubling",
          "Halving and doubling",
          "Partners exchange halves, then quarters, of what they still add up, and gather the sums the same way back.",
          {Allreduce, ReduceScatter, AllGather}},
         makeHalvingDoubling},
        {{"tree",
          "Binary tree",
          "Pieces are added up on their way to the root of a binary tree and go down again while later ones come up.",
          {Allreduce, Broadcast}},
         makeTree},
        {{"double-tree",
          "Double binary tree",
          "Each half of the vector has a tree of its own, and who adds up in one tree is a leaf in the other.",
          {Allreduce}},
         makeDoubleTree},
        {{"hierarchical",
          "Hierarchical",
          "A ring adds up within each node, trees join the nodes chunk by chunk, and a ring spreads the sums again.",
          {Allreduce}},
         makeHierarchical},
    };
    return all;
}

std::string_view name(Collective collective) {
    static constexpr std::array<std::string_view, 4> names{"allreduce", "reduce-scatter", "all-gather", "broadcast"};
    return names[static_cast<size_t>(collective)];
}

const Entry& find(std::string_view algorithm) {
    std::string known;
    for (const Entry& entry : entries()) {
        if (entry.description.id == algorithm)
            return entry;
        known += known.empty() ? "" : ", ";
        known += entry.description.id;
    }
    throw InputError(fmt::format("algorithm '{}' is not known, expected one of {}", algorithm, known));
}

} // namespace

const std::vector<Algorithm>& algorithms() {
    static const std::vector<Algorithm> all = [] {
        std::vector<Algorithm> descriptions;
        for (const Entry& entry : entries())
            descriptions.push_back(entry.description);
        return descriptions;
    }();
    return all;
}

std::unique_ptr<Schedule> makeSchedule(std::string_view algorithm, Collective collective, int ranks, int64_t elements,
                                       const AlgorithmOptions& options) {
    const Entry& entry = find(algorithm);
    const auto& able = entry.description.collectives;
    if (std::find(able.begin(), able.end(), collective) == able.end()) {
        std::string known;
        for (const Collective each : able)
            known += (known.empty() ? "" : ", ") + std::string(name(each));
        throw InputError(
            fmt::format("algorithm '{}' cannot do {} on its own, expected {}", algorithm, name(collective), known));
    }
    if (ranks < 1 || ranks > mostRanks)
        throw InputError(fmt::format("ranks is {}, expected 1 to {}", ranks, mostRanks));
    if (elements < 0)
        throw InputError(fmt::format("elements is {}, expected at least 0", elements));
    if (options.ranksPerNode < 1)
        throw InputError(fmt::format("ranksPerNode is {}, expected at least 1", options.ranksPerNode));
    if (options.pipelineChunks < 1)
        throw InputError(fmt::format("pipelineChunks is {}, expected at least 1", options.pipelineChunks));
    return entry.make(collective, ranks, elements, options);
}

Range chunkRange(int64_t elements, int64_t chunks, int64_t index) {
    const int64_t size = elements / chunks, longer = elements % chunks;
    const int64_t begin = index * size + std::min(index, longer);
    return {begin, begin + size + (index < longer ? 1 : 0)};
}

std::vector<int64_t> equalBorders(int64_t elements, int64_t chunks) {
    std::vector<int64_t> borders(static_cast<size_t>(chunks) + 1);
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
        borders[static_cast<size_t>(chunk) + 1] = chunkRange(elements, chunks, chunk).end;
    return borders;
}

} // namespace warplight::collectives
