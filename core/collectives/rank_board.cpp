// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/rank_board.h"

#include <algorithm>
#include <fmt/format.h>
#include <new>
#include <vector>

namespace warplight::collectives {
namespace {

constexpr size_t cacheLine = 64;

int64_t nanoseconds(std::chrono::steady_clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

} // namespace

/// A line of its own, so that ranks do not take it from each other's cache. All zero: starting.
struct alignas(cacheLine) RankBoard::Row {
    std::atomic<int64_t> changed; ///< nanoseconds of the steady clock
    std::atomic<int64_t> step;
    std::atomic<State> state;
    std::atomic<int32_t> waitsFor;

    void set(State newState, int64_t newStep, int32_t other) {
        state.store(newState, std::memory_order_relaxed);
        step.store(newStep, std::memory_order_relaxed);
        waitsFor.store(other, std::memory_order_relaxed);
        changed.store(nanoseconds(std::chrono::steady_clock::now()), std::memory_order_release);
    }
};

size_t RankBoard::bytesFor(int ranks) { return sizeof(Row) * static_cast<size_t>(ranks); }

RankBoard::RankBoard(void* memory, int ranks, bool clears) : rows(static_cast<Row*>(memory)), rankCount(ranks) {
    static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<State>::is_always_lock_free);
    if (clears)
        for (int rank = 0; rank < ranks; ++rank)
            (new (rows + rank) Row{})->set(State::Starting, 0, -1);
}

void RankBoard::setWorking(int rank, int64_t step) { rows[rank].set(State::Working, step, -1); }
void RankBoard::setWaiting(int rank, int64_t step, int waitsFor) { rows[rank].set(State::Waiting, step, waitsFor); }
void RankBoard::setDone(int rank) { rows[rank].set(State::Done, rows[rank].step.load(std::memory_order_relaxed), -1); }
void RankBoard::setFailed(int rank) {
    rows[rank].set(State::Failed, rows[rank].step.load(std::memory_order_relaxed), -1);
}

std::optional<RankBoard::Stall> RankBoard::stall(std::chrono::steady_clock::time_point now,
                                                 std::chrono::milliseconds timeout) const {
    struct Seen {
        int64_t changed, step;
        State state;
        int waitsFor;
    };
    std::vector<Seen> seen(static_cast<size_t>(rankCount));
    const int64_t latest = nanoseconds(now - timeout);
    bool allDone = true;
    for (int rank = 0; rank < rankCount; ++rank) {
        const Row& row = rows[rank];
        Seen& s = seen[static_cast<size_t>(rank)];
        s.changed = row.changed.load(std::memory_order_acquire);
        s.step = row.step.load(std::memory_order_relaxed);
        s.state = row.state.load(std::memory_order_relaxed);
        s.waitsFor = row.waitsFor.load(std::memory_order_relaxed);
        if (s.changed > latest)
            return std::nullopt;
        allDone = allDone && s.state == State::Done;
    }
    if (allDone)
        return std::nullopt;

    // Everybody who waits leads to somebody who does not, or into a circle, within rankCount hops.
    const auto waits = [&](int rank) {
        const Seen& s = seen[static_cast<size_t>(rank)];
        return s.state == State::Waiting && s.waitsFor >= 0 && s.waitsFor < rankCount && s.waitsFor != rank;
    };
    std::vector<int> waiters(seen.size()); // of whom they lead to
    for (int rank = 0; rank < rankCount; ++rank) {
        int end = rank;
        for (int hop = 0; hop < rankCount && waits(end); ++hop)
            end = seen[static_cast<size_t>(end)].waitsFor;
        if (waits(end)) { // a circle stands for its lowest rank
            int lowest = end;
            for (int other = seen[static_cast<size_t>(end)].waitsFor; other != end;
                 other = seen[static_cast<size_t>(other)].waitsFor)
                lowest = std::min(lowest, other);
            end = lowest;
        }
        if (end != rank)
            ++waiters[static_cast<size_t>(end)];
    }
    int culprit = -1;
    for (int rank = 0; rank < rankCount; ++rank) {
        const bool isDone = seen[static_cast<size_t>(rank)].state == State::Done;
        const int count = waiters[static_cast<size_t>(rank)];
        if (count == 0 && (isDone || waits(rank)))
            continue;
        if (culprit < 0 || count > waiters[static_cast<size_t>(culprit)])
            culprit = rank;
    }

    const Seen& who = seen[static_cast<size_t>(culprit)];
    std::string sentence = fmt::format("Rank {} ", culprit);
    switch (who.state) {
    case State::Starting:
        sentence += "has not started";
        break;
    case State::Working:
        sentence += fmt::format("hangs in step {}", who.step);
        break;
    case State::Waiting:
        sentence += fmt::format("waits in step {} for rank {}, which waits for it", who.step, who.waitsFor);
        break;
    case State::Done:
        sentence += "has ended too early";
        break;
    case State::Failed:
        sentence += fmt::format("failed in step {}", who.step);
        break;
    }
    int first = -1, direct = 0; // of those who wait for it
    for (int rank = 0; rank < rankCount; ++rank)
        if (waits(rank) && seen[static_cast<size_t>(rank)].waitsFor == culprit) {
            ++direct;
            if (first < 0 || seen[static_cast<size_t>(rank)].changed < seen[static_cast<size_t>(first)].changed)
                first = rank;
        }
    const auto secondsSince = [&](const Seen& s) { return static_cast<double>(nanoseconds(now) - s.changed) * 1e-9; };
    if (first >= 0) {
        const int others = waiters[static_cast<size_t>(culprit)] - 1;
        sentence +=
            fmt::format(": rank {} has waited {:.1f} s for it", first, secondsSince(seen[static_cast<size_t>(first)]));
        if (others > 0)
            sentence +=
                fmt::format(", and {}{} other{}", direct > 1 ? "" : "through it ", others, others == 1 ? "" : "s");
    } else {
        sentence += fmt::format(": it has not moved for {:.1f} s", secondsSince(who));
    }
    return Stall{culprit, sentence + "."};
}

} // namespace warplight::collectives
