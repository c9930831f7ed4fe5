// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/pair_merges.h"

#include <functional>
#include <queue>
#include <tuple>

namespace warplight::model {
namespace {

constexpr size_t none = SIZE_MAX;

/// A merge that is possible, unless one of its tokens has changed since.
struct Candidate {
    int64_t rank;
    size_t at; ///< of the left token
    int32_t left, right, merged;
    bool operator>(const Candidate& other) const { return std::tie(rank, at) > std::tie(other.rank, other.at); }
};

} // namespace

void PairMerges::add(int32_t left, int32_t right, int32_t merged) {
    merges.try_emplace(key(left, right), Merge{static_cast<int64_t>(merges.size()), merged});
}

const PairMerges::Merge* PairMerges::find(int32_t left, int32_t right) const {
    const auto found = merges.find(key(left, right));
    return found == merges.end() ? nullptr : &found->second;
}

void PairMerges::apply(std::vector<int32_t>& tokens) const {
    const size_t count = tokens.size();
    std::vector<size_t> before(count), after(count);
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto consider = [&](size_t left) {
        const size_t right = left == none ? none : after[left];
        if (right == none)
            return;
        if (const Merge* merge = find(tokens[left], tokens[right]))
            queue.push({merge->rank, left, tokens[left], tokens[right], merge->merged});
    };
    for (size_t i = 0; i < count; ++i) {
        before[i] = i == 0 ? none : i - 1;
        after[i] = i + 1 == count ? none : i + 1;
    }
    for (size_t i = 0; i < count; ++i)
        consider(i);
    constexpr int32_t gone = -1;
    while (!queue.empty()) {
        const Candidate best = queue.top();
        queue.pop();
        const size_t left = best.at, right = after[left];
        if (tokens[left] != best.left || right == none || tokens[right] != best.right)
            continue;
        tokens[left] = best.merged;
        tokens[right] = gone;
        after[left] = after[right];
        if (after[left] != none)
            before[after[left]] = left;
        consider(before[left]);
        consider(left);
    }
    std::erase(tokens, gone);
}

} // namespace warplight::model
