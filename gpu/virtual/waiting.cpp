// SPDX-License-Identifier: GPL-3.0-or-later
// Waiting is not work: which loops only wait. A loop waits when one pass over it changes neither what other threads may
// see nor the warp's own state, or when two passes have read the same from the same places. What such a warp waits for
// is then known: that somebody else writes where it has read.
#include "gpu/virtual/waiting.h"

#include "gpu/error.h"
#include "gpu/virtual/block.h"
#include "gpu/virtual/ops/control.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>

namespace warplight::vgpu {
namespace {

constexpr int longestPass = 1 << 14;      ///< operations
constexpr size_t mostReads = 2048;        ///< of lanes in a pass
constexpr int mostReleases = 8;           ///< barriers in a loop
constexpr int longestPeriod = 34;         ///< passes until all is as it was
constexpr int64_t longestOfPeriod = 4096; ///< operations of a pass that is followed by so many

/// Everything that decides how a warp goes on, but for what it reads.
struct WarpStateCopy {
    std::vector<std::byte> registers, local;
    std::vector<Path> stack;
    std::vector<Frame> frames;
    uint32_t mask = 0, exited = 0;
    const Op *join = nullptr, *pc = nullptr;

    static size_t registerBytes(const Warp& w) {
        return w.frameAt + w.block->program->functions[w.function].frameBytes;
    }
    static size_t localBytes(const Warp& w) { return static_cast<size_t>(w.block->localPerThread) * warpSize; }

    void take(const Warp& w) {
        registers.assign(w.registers.begin(), w.registers.begin() + static_cast<std::ptrdiff_t>(registerBytes(w)));
        local.assign(w.local, w.local + localBytes(w));
        stack = w.stack;
        frames = w.frames;
        mask = w.mask;
        exited = w.exited;
        join = w.join;
        pc = w.pc;
    }
    bool sameWay(const Warp& w) const {
        return pc == w.pc && mask == w.mask && exited == w.exited && join == w.join && stack == w.stack &&
               frames == w.frames;
    }
    bool sameValues(const Warp& w) const {
        return registers.size() == registerBytes(w) &&
               std::equal(registers.begin(), registers.end(), w.registers.begin()) &&
               std::equal(local.begin(), local.end(), w.local);
    }
};

enum class Pass { Back, Works, Unclear };

void sortOnce(std::vector<uint32_t>& numbers) {
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

/// Executes the warp's next operation and keeps what it reads. False: it changes something, or the warp cannot go on.
bool step(Warp& w, Wait& wait) {
    const Op* const op = w.pc;
    const OpOrigin& origin = w.block->program->origins[op->index];
    const bool memory = origin.touch == Touch::Reads || origin.touch == Touch::Updates;
    const size_t before = wait.reads.size();
    if (memory)
        wait.reads.add(w, op);
    wait.clock = wait.clock || origin.touch == Touch::Clock;
    wait.polls = wait.polls || origin.polls;
    wait.ops.push_back(op->index);
    ++wait.steps;
    OpCount& count = w.block->worker->counts.ops[op->index];
    ++count.warps;
    count.threads += w.active;
    if (const Op* next = op->run(w, op))
        w.pc = next;
    else if (w.state != WarpState::Ready)
        return false;
    if (memory && !wait.reads.stillThere(before))
        return false;
    if (memory && (origin.touch == Touch::Reads || origin.polls))
        wait.at = op;
    else
        wait.reads.dropFrom(before);
    return true;
}

/// Runs from `head` until the warp is back there, or does more than wait.
Pass runPass(Warp& w, const Op* head, Wait& wait) {
    const size_t depth = w.frames.size();
    for (int steps = 0; steps < longestPass && wait.reads.size() <= mostReads; ++steps) {
        if (w.block->program->origins[w.pc->index].touch == Touch::Changes) {
            w.block->together.wanted = w.block->together.wanted || w.pc->run == &barrier;
            return Pass::Works;
        }
        if (!step(w, wait))
            return Pass::Works;
        if (w.pc == head && w.frames.size() == depth)
            return Pass::Back;
    }
    return Pass::Unclear;
}

/// Runs all warps from where the block's barrier has opened until it opens again.
Pass runPass(Block& block, Wait& wait) {
    WaitTogether& together = block.together;
    const Op* const from = together.barrier;
    // One that waits for something else must be heard when that comes.
    if (std::any_of(block.warps.begin(), block.warps.end(),
                    [](const Warp& w) { return w.state == WarpState::Waiting; }))
        return Pass::Works;
    int steps = 0;
    for (int releases = 0; releases < mostReleases; ++releases) {
        together.released = false;
        while (!together.released) {
            bool any = false;
            for (Warp& w : block.warps) {
                while (w.state == WarpState::Ready && !together.released) {
                    any = true;
                    const bool changes = block.program->origins[w.pc->index].touch == Touch::Changes;
                    const bool atBarrier = w.pc->run == &barrier;
                    if ((changes && !atBarrier) || (!step(w, wait) && w.state != WarpState::AtBarrier))
                        return Pass::Works;
                    if (++steps > longestPass * static_cast<int>(block.warps.size()) || wait.reads.size() > mostReads)
                        return Pass::Unclear;
                }
            }
            if (!any)
                return Pass::Works;
        }
        if (together.barrier == from)
            return Pass::Back;
    }
    return Pass::Unclear;
}

/// What happens while this lives is counted aside.
class Aside {
  public:
    explicit Aside(Worker& w) : worker(w), firstSector(w.sectorStream ? w.sectorStream->size() : 0) {
        std::swap(worker.counts, worker.aside);
        worker.watching = true;
    }
    ~Aside() {
        if (worker.watching)
            end();
        worker.counts.add(worker.aside);
        worker.aside.clear();
    }
    /// It is part of a wait, and counts only if nothing else ends that.
    void keepIn(Wait& wait) {
        end();
        wait.passes = wait.kind == Wait::Kind::MayEnd && !wait.clock ? worker.aside : LaunchCounts();
        worker.aside.clear();
        wait.sectors.clear();
        if (!worker.sectorStream)
            return;
        const auto from = worker.sectorStream->begin() + static_cast<std::ptrdiff_t>(firstSector);
        wait.sectors.assign(from, worker.sectorStream->end());
        worker.sectorStream->resize(firstSector);
    }

  private:
    void end() {
        std::swap(worker.counts, worker.aside);
        worker.watching = false;
    }
    Worker& worker;
    size_t firstSector;
};

/// The first pass says whether all is as before it, the second whether it has read the same; those behind, whether all
/// comes back to where it was, as in a loop that polls one place after the other.
template <class Run, class Same, class Take>
Seen waits(Block& block, Wait& wait, bool polls, Run run, Same same, Take take) {
    Reads first;
    std::vector<uint32_t> known = std::move(wait.ops);
    sortOnce(known);
    take();
    for (int pass = 0; pass < longestPeriod; ++pass) {
        if (pass < 2) {
            wait.reads.clear();
            wait.ops.clear();
        }
        checkCancelled(block.launch->cancel);
        wait.clock = wait.polls = false;
        wait.at = nullptr;
        wait.steps = 0;
        const Pass passed = run();
        sortOnce(wait.ops);
        if (pass == 0 && !std::includes(known.begin(), known.end(), wait.ops.begin(), wait.ops.end()))
            block.leavesIdleLoop();
        const auto [way, values] = passed == Pass::Back ? same() : std::pair(false, false);
        if (passed == Pass::Works || (passed == Pass::Back && !way))
            return Seen::Works;
        if (!way)
            return Seen::TooLong;
        wait.kind = values && !wait.clock ? Wait::Kind::Forever : Wait::Kind::MayEnd;
        if (wait.kind == Wait::Kind::Forever || (pass == 1 && wait.reads == first))
            return Seen::Waits;
        if (wait.reads.empty() || (pass > 0 && (!polls || wait.clock || wait.steps > longestOfPeriod)))
            return Seen::Unclear;
        if (pass == 0) {
            first = wait.reads;
            take();
        }
    }
    return Seen::Unclear;
}

/// Whether lanes that go on there may come to where they meet others of their warp or block.
bool mayExchange(const Program& program, const Op* from) {
    if (program.meetings.empty() || !program.calls.empty())
        return !program.meetings.empty();
    uint32_t first = from->index;
    for (bool any = true; any;) {
        any = false;
        for (const auto& [at, to] : program.backward)
            if (at >= first && to < first) {
                first = to;
                any = true;
            }
    }
    return program.meetings.back() >= first;
}

} // namespace

void Reads::clear() {
    places.clear();
    values.clear();
}

void Reads::add(const std::byte* at, uint32_t bytes, bool global) {
    places.push_back({at, bytes, static_cast<uint32_t>(values.size()), global});
    values.insert(values.end(), at, at + bytes);
}

void Reads::add(const Warp& w, const Op* op) {
    const Block& block = *w.block;
    const OpOrigin& origin = block.program->origins[op->index];
    uint32_t mask = w.mask;
    if (op->predicate != noRow)
        mask &= *in<uint32_t>(w, op->predicate) ^ (op->guardNegated ? fullMask : 0);
    uint64_t last = 0;
    for (int lane = 0; lane < warpSize; ++lane) {
        if (!has(mask, lane))
            continue;
        const auto offset = static_cast<uint64_t>(op->imm);
        uint64_t address = origin.addressBytes == 8 ? in<uint64_t>(w, op->a)[lane] + offset
                                                    : static_cast<uint32_t>(in<uint32_t>(w, op->a)[lane] + offset);
        const bool shared = origin.space == ptx::Space::Shared || address >> 32 == sharedWindow >> 32;
        if (shared)
            address &= 0xffffffffu;
        if (mask != 0 && last == address + 1) // the same for all lanes, as a rule
            continue;
        last = address + 1;
        if (shared && address + origin.bytes <= block.shared.size())
            add(block.shared.data() + address, origin.bytes, false);
        else if (!shared && block.launch->memory->find(address, origin.bytes) >= 0)
            add(block.launch->memory->host(address), origin.bytes, true);
        // else in local memory, which nobody else sees, or the operation will say what is wrong
    }
}

void Reads::dropFrom(size_t first) {
    if (first >= places.size())
        return;
    values.resize(places[first].value);
    places.resize(first);
}

bool Reads::stillThere(size_t first) const {
    return std::all_of(places.begin() + static_cast<std::ptrdiff_t>(first), places.end(),
                       [&](const Place& p) { return std::memcmp(p.at, values.data() + p.value, p.bytes) == 0; });
}

bool Reads::anyGlobal() const {
    return std::any_of(places.begin(), places.end(), [](const Place& p) { return p.global; });
}

Seen watch(Warp& w) {
    thread_local WarpStateCopy before;
    const Op* const head = w.pc;
    w.budget = std::numeric_limits<int64_t>::max();
    w.watched = true;
    Aside aside(*w.block->worker);
    const Seen seen = waits(
        *w.block, w.wait, w.pollLoop >= 0, [&] { return runPass(w, head, w.wait); },
        [&] { return std::pair(before.sameWay(w), before.sameValues(w)); }, [&] { before.take(w); });
    w.watched = false;
    if (seen == Seen::Waits) {
        w.state = WarpState::Waiting;
        w.wait.head = head;
        aside.keepIn(w.wait);
    }
    return seen;
}

Seen watchTogether(Block& block) {
    constexpr int longestPause = 31;
    WaitTogether& together = block.together;
    std::vector<WarpStateCopy> before(block.warps.size());
    for (Warp& w : block.warps) {
        w.budget = std::numeric_limits<int64_t>::max();
        w.watched = true;
    }
    const auto all = [&](auto holds) {
        for (size_t i = 0; i < before.size(); ++i)
            if (!holds(before[i], block.warps[i]))
                return false;
        return true;
    };
    const auto same = [&] {
        return std::pair(all([](const auto& copy, const Warp& w) { return copy.sameWay(w); }),
                         all([](const auto& copy, const Warp& w) { return copy.sameValues(w); }));
    };
    const auto take = [&] {
        all([](WarpStateCopy& copy, const Warp& w) {
            copy.take(w);
            return true;
        });
    };
    Aside aside(*block.worker);
    const Seen seen = waits(
        block, together.wait, true, [&] { return runPass(block, together.wait); }, same, take);
    together.parked = seen == Seen::Waits;
    for (Warp& w : block.warps)
        w.watched = false;
    together.released = together.wanted = false;
    together.left = together.pause = together.parked ? 0 : std::min(2 * together.pause + 1, longestPause);
    if (together.parked)
        aside.keepIn(together.wait);
    return seen;
}

/// Beside the path that waits, those of the other lanes wait in the stack: the other sides of branches, and what is
/// behind the places where sides meet. Lanes that none of the paths above still has on its way there may go ahead, and
/// the one that waits stands above the others meanwhile.
bool letLanesAhead(Warp& w, bool early) {
    size_t first = w.stack.size(); // of those of the running function
    while (first > 0 && w.stack[first - 1].call < 0)
        --first;
    if (w.aheads > 2 * (w.stack.size() - first))
        return false;
    size_t best = w.stack.size();
    uint32_t lanes = 0, above = w.mask;
    for (size_t i = w.stack.size(); i-- > first; above |= w.stack[i].mask) {
        const uint32_t free = w.stack[i].mask & ~above & ~w.exited;
        if (free != 0 && (best == w.stack.size() || w.stack[i].turn < w.stack[best].turn) &&
            !(early && mayExchange(*w.block->program, w.stack[i].pc))) {
            best = i;
            lanes = free;
        }
    }
    if (best == w.stack.size())
        return false;
    const Path next = w.stack[best];
    if ((next.mask & ~lanes & ~w.exited) == 0)
        w.stack.erase(w.stack.begin() + static_cast<std::ptrdiff_t>(best));
    else
        w.stack[best].mask &= ~lanes; // for those who come later
    ++w.aheads;
    w.stack.push_back({w.pc, w.mask, w.join, -1, ++w.lastTurn});
    w.setMask(lanes);
    w.pc = next.pc;
    w.join = next.join;
    return true;
}

void waitPolitely(Warp& w, const Op* op, Reads reads) {
    OpCount& count = w.block->worker->counts.ops[op->index];
    --count.warps;
    count.threads -= w.active;
    w.pc = op;
    w.state = WarpState::Waiting;
    w.wait.kind = Wait::Kind::Politely;
    w.wait.clock = false;
    w.wait.reads = std::move(reads);
    w.wait.at = op;
    w.wait.head = nullptr;
}

} // namespace warplight::vgpu
