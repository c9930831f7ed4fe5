// Waiting is not work: which loops only wait. A loop waits when one pass over it changes neither what other threads may
// see nor the warp's own state, or when two passes have read the same from the same places. What such a warp waits for
// is then known: that somebody else writes where it has read.
#include "gpu/virtual/waiting.h"

#include "gpu/virtual/block.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace warplight::vgpu {
namespace {

constexpr int longestPass = 1 << 14; ///< operations
constexpr size_t mostReads = 2048;   ///< of lanes in a pass

/// Everything that decides how a warp goes on, but for what it reads.
struct WarpStateCopy {
    std::vector<std::byte> registers, local;
    std::vector<Path> stack;
    std::vector<Frame> frames;
    uint32_t mask = 0, exited = 0;
    const Op* join = nullptr;

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
    }
    bool sameWay(const Warp& w) const {
        return mask == w.mask && exited == w.exited && join == w.join && stack == w.stack && frames == w.frames;
    }
    bool sameValues(const Warp& w) const {
        return registers.size() == registerBytes(w) && std::equal(registers.begin(), registers.end(), w.registers.begin()) &&
               std::equal(local.begin(), local.end(), w.local);
    }
};

enum class Pass { Back, Works, Unclear };

/// Runs from `head` until the warp is back there, or does more than wait.
Pass runPass(Warp& w, const Op* head, Wait& wait) {
    const Program& program = *w.block->program;
    std::vector<OpCount>& counts = w.block->worker->counts.ops;
    const size_t depth = w.frames.size();
    const Op*& op = w.pc;
    for (int step = 0; step < longestPass && wait.reads.size() <= mostReads; ++step) {
        const OpOrigin& origin = program.origins[op->index];
        if (origin.touch == Touch::Changes)
            return Pass::Works;
        const bool memory = origin.touch == Touch::Reads || origin.touch == Touch::Updates;
        const size_t before = wait.reads.size();
        if (memory)
            wait.reads.add(w, op);
        wait.clock = wait.clock || origin.touch == Touch::Clock;
        ++counts[op->index].warps;
        counts[op->index].threads += w.active;
        const Op* const at = op;
        if (const Op* next = op->run(w, op))
            op = next;
        else if (w.state != WarpState::Ready)
            return Pass::Works;
        if (memory && !wait.reads.stillThere(before))
            return Pass::Works;
        if (memory && (origin.touch == Touch::Reads || origin.polls))
            wait.at = at;
        else
            wait.reads.dropFrom(before);
        if (op == head && w.frames.size() == depth)
            return Pass::Back;
    }
    return Pass::Unclear;
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
    return std::all_of(places.begin() + static_cast<std::ptrdiff_t>(first), places.end(), [&](const Place& p) {
        return std::memcmp(p.at, values.data() + p.value, p.bytes) == 0;
    });
}

bool Reads::anyGlobal() const {
    return std::any_of(places.begin(), places.end(), [](const Place& p) { return p.global; });
}

bool watch(Warp& w) {
    thread_local WarpStateCopy before;
    Worker& worker = *w.block->worker;
    const Op* const head = w.pc;
    const size_t sectors = worker.sectorStream ? worker.sectorStream->size() : 0;
    w.budget = std::numeric_limits<int64_t>::max();
    w.watched = true;
    std::swap(worker.counts, worker.aside);
    worker.watching = true;
    Wait& wait = w.wait;
    Reads first;
    bool waits = false;
    before.take(w);
    for (int pass = 0; pass < 2 && !waits; ++pass) {
        wait.reads.clear();
        wait.clock = false;
        wait.at = nullptr;
        const Pass passed = runPass(w, head, wait);
        if (passed == Pass::Works || (passed == Pass::Back && !before.sameWay(w)))
            worker.futile = 0;
        if (passed != Pass::Back || !before.sameWay(w))
            break;
        if (!wait.clock && before.sameValues(w)) {
            wait.kind = Wait::Kind::Forever;
            waits = true;
        } else if (wait.reads.empty()) {
            break;
        } else if (pass == 1 && wait.reads == first) {
            wait.kind = Wait::Kind::MayEnd;
            waits = true;
        } else {
            first = wait.reads;
            before.take(w);
        }
    }
    std::swap(worker.counts, worker.aside);
    worker.watching = false;
    w.watched = false;
    if (waits) {
        w.state = WarpState::Waiting;
        wait.head = head;
        wait.passes = wait.kind == Wait::Kind::MayEnd && !wait.clock ? worker.aside : LaunchCounts();
        wait.sectors.clear();
        if (worker.sectorStream) {
            const auto from = worker.sectorStream->begin() + static_cast<std::ptrdiff_t>(sectors);
            wait.sectors.assign(from, worker.sectorStream->end());
            worker.sectorStream->resize(sectors);
        }
    } else {
        worker.counts.add(worker.aside);
    }
    worker.aside.clear();
    return waits;
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
