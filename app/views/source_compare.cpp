// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/source_compare.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

namespace warplight::app {
namespace {

using Lines = std::vector<lab::Source::Line>;

constexpr int64_t mostPairs = 1'000'000; ///< compared for the longest common subsequence

/// Patience diff: what begins and ends alike, then the lines that are there once on both sides, then what is between.
class Matcher {
  public:
    Matcher(const Lines& now, const Lines& then) : now(now), then(then), result(now.size(), -1) {}

    std::vector<int> run() {
        match({0, static_cast<int>(now.size()), 0, static_cast<int>(then.size())});
        while (!open.empty()) {
            const Range range = open.back();
            open.pop_back();
            match(range);
        }
        return std::move(result);
    }

  private:
    struct Range {
        int nowFrom, nowTo, thenFrom, thenTo;
    };

    bool same(int a, int b) const { return now[static_cast<size_t>(a)].text == then[static_cast<size_t>(b)].text; }
    void pair(int a, int b) { result[static_cast<size_t>(a)] = b; }

    void match(Range r) {
        for (; r.nowFrom < r.nowTo && r.thenFrom < r.thenTo && same(r.nowFrom, r.thenFrom); ++r.nowFrom, ++r.thenFrom)
            pair(r.nowFrom, r.thenFrom);
        for (; r.nowFrom < r.nowTo && r.thenFrom < r.thenTo && same(r.nowTo - 1, r.thenTo - 1); --r.nowTo, --r.thenTo)
            pair(r.nowTo - 1, r.thenTo - 1);
        if (r.nowFrom == r.nowTo || r.thenFrom == r.thenTo)
            return;
        if (static_cast<int64_t>(r.nowTo - r.nowFrom) * (r.thenTo - r.thenFrom) <= mostPairs)
            return commonSubsequence(r);
        const std::vector<std::pair<int, int>> fixed = anchors(r);
        if (fixed.empty()) // nothing to hold on to: all of it is new
            return;
        Range between{r.nowFrom, 0, r.thenFrom, 0};
        for (const auto& [a, b] : fixed) {
            pair(a, b);
            open.push_back({between.nowFrom, a, between.thenFrom, b});
            between = {a + 1, 0, b + 1, 0};
        }
        open.push_back({between.nowFrom, r.nowTo, between.thenFrom, r.thenTo});
    }

    /// Lines that are there once on both sides, in an order that is the same on both: most of them.
    std::vector<std::pair<int, int>> anchors(const Range& r) const {
        struct Seen {
            int inNow = 0, inThen = 0, at = 0;
        };
        std::unordered_map<std::string, Seen> seen;
        for (int i = r.nowFrom; i < r.nowTo; ++i)
            ++seen[now[static_cast<size_t>(i)].text].inNow;
        for (int i = r.thenFrom; i < r.thenTo; ++i) {
            Seen& line = seen[then[static_cast<size_t>(i)].text];
            ++line.inThen;
            line.at = i;
        }
        // The longest sequence that ascends, by piles of cards.
        std::vector<std::pair<int, int>> cards;
        std::vector<int> tops, before;
        for (int i = r.nowFrom; i < r.nowTo; ++i) {
            const Seen& line = seen[now[static_cast<size_t>(i)].text];
            if (line.inNow != 1 || line.inThen != 1)
                continue;
            const auto pile = std::lower_bound(tops.begin(), tops.end(), line.at, [&](int card, int at) {
                return cards[static_cast<size_t>(card)].second < at;
            });
            before.push_back(pile == tops.begin() ? -1 : *(pile - 1));
            const auto card = static_cast<int>(cards.size());
            cards.emplace_back(i, line.at);
            if (pile == tops.end())
                tops.push_back(card);
            else
                *pile = card;
        }
        std::vector<std::pair<int, int>> chosen;
        for (int card = tops.empty() ? -1 : tops.back(); card >= 0; card = before[static_cast<size_t>(card)])
            chosen.push_back(cards[static_cast<size_t>(card)]);
        std::reverse(chosen.begin(), chosen.end());
        return chosen;
    }

    void commonSubsequence(const Range& r) {
        const auto rows = static_cast<size_t>(r.nowTo - r.nowFrom), cols = static_cast<size_t>(r.thenTo - r.thenFrom);
        std::vector<int> longest((rows + 1) * (cols + 1), 0); // of the rest from (a, b) on
        const auto at = [&](size_t a, size_t b) -> int& { return longest[a * (cols + 1) + b]; };
        const auto alike = [&](size_t a, size_t b) {
            return same(r.nowFrom + static_cast<int>(a), r.thenFrom + static_cast<int>(b));
        };
        for (size_t a = rows; a-- > 0;)
            for (size_t b = cols; b-- > 0;)
                at(a, b) = alike(a, b) ? at(a + 1, b + 1) + 1 : std::max(at(a + 1, b), at(a, b + 1));
        for (size_t a = 0, b = 0; a < rows && b < cols;) {
            if (alike(a, b)) {
                pair(r.nowFrom + static_cast<int>(a), r.thenFrom + static_cast<int>(b));
                ++a, ++b;
            } else if (at(a + 1, b) >= at(a, b + 1)) {
                ++a;
            } else {
                ++b;
            }
        }
    }

    const Lines& now;
    const Lines& then;
    std::vector<int> result;
    std::vector<Range> open;
};

} // namespace

std::vector<int> sameLines(const Lines& now, const Lines& then) { return Matcher(now, then).run(); }

PinnedPane PinnedPane::of(lab::Source::Pane pinned, const QString& name, const lab::Source::Pane& now) {
    PinnedPane result;
    result.name = name;
    result.pane = std::move(pinned);
    result.lineOf = sameLines(now.lines, result.pane.lines);
    for (const auto& counter : now.counters) {
        const auto& theirs = result.pane.counters;
        const auto found =
            std::find_if(theirs.begin(), theirs.end(), [&](const auto& c) { return c.id == counter.id; });
        result.counterOf.push_back(found == theirs.end() ? -1 : static_cast<int>(found - theirs.begin()));
    }
    result.added = static_cast<int>(std::count(result.lineOf.begin(), result.lineOf.end(), -1));
    result.gone = static_cast<int>(result.pane.lines.size() + static_cast<size_t>(result.added) - now.lines.size());
    return result;
}

bool PinnedPane::isOther() const { return 2 * static_cast<size_t>(added) > lineOf.size(); }

} // namespace warplight::app
