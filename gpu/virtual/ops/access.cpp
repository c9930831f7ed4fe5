// SPDX-License-Identifier: GPL-3.0-or-later
// What an access touches: sectors of global memory, banks of shared memory, and whether it may.
#include "gpu/virtual/ops/access.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::vgpu {
namespace {

constexpr int64_t sectorBytes = 32, bankBytes = 4, banks = 32;
constexpr uint32_t sectorsPerLine = 4, lineBytes = 128;

/// The words that some lanes touch, by bank.
class Banks {
  public:
    /// Passes over the 32 banks that the words need: the most different words in one bank.
    uint32_t passes() const { return most; }
    void add(uint32_t word) {
        const auto bank = static_cast<size_t>(word % banks);
        uint8_t& n = count[bank];
        for (uint8_t i = 0; i < n; ++i)
            if (words[bank][i] == word)
                return;
        if (n < warpSize)
            words[bank][n++] = word;
        most = std::max<uint32_t>(most, n);
    }

  private:
    uint32_t words[banks][warpSize];
    uint8_t count[banks] = {};
    uint32_t most = 0;
};

/// Wide accesses go in parts: two halves of a warp for 8 bytes a lane, four quarters for 16. Parts that together still
/// touch each bank once (all lanes read the same word, say) share a pass.
uint32_t wavefronts(const Pattern& p, uint64_t base, int bytes) {
    const int parts = std::max<int>(1, bytes / 4), lanes = warpSize / parts;
    const auto addPart = [&](Banks& to, int part) {
        for (int i = part * lanes; i < (part + 1) * lanes; ++i)
            if (has(p.mask, i)) {
                const auto first = static_cast<uint32_t>((static_cast<int64_t>(base) + p.delta[i]) / bankBytes);
                const auto last =
                    static_cast<uint32_t>((static_cast<int64_t>(base) + p.delta[i] + bytes - 1) / bankBytes);
                for (uint32_t word = first; word <= last; ++word)
                    to.add(word);
            }
    };
    uint32_t all = 0;
    for (int part = 0; part < parts;) {
        Banks alone;
        addPart(alone, part);
        uint32_t passes = alone.passes();
        for (++part; part < parts && passes <= 1; ++part) { // as many more as fit into the same pass
            addPart(alone, part);
            if (alone.passes() > 1)
                break;
            passes = alone.passes();
        }
        all += passes;
    }
    return all;
}

const char* verb(AccessKind kind) {
    return kind == AccessKind::Read ? "a read" : kind == AccessKind::Write ? "a write" : "an atomic operation";
}

} // namespace

void completePattern(Pattern& p, uint64_t base, int bytes) {
    p.least = p.most = 0;
    bool uniform = true, consecutive = true;
    p.misaligned = false;
    for (int i = 0; i < warpSize; ++i) {
        p.delta32[i] = static_cast<uint32_t>(p.delta[i]);
        if (!has(p.mask, i))
            continue;
        p.least = std::min(p.least, p.delta[i]);
        p.most = std::max(p.most, p.delta[i]);
        uniform = uniform && p.delta[i] == 0;
        consecutive = consecutive && p.delta[i] == static_cast<int64_t>(i) * bytes;
        p.misaligned = p.misaligned || (base + static_cast<uint64_t>(p.delta[i])) % static_cast<uint64_t>(bytes) != 0;
    }
    p.kind = uniform ? Pattern::Uniform : consecutive && p.mask == fullMask ? Pattern::Consecutive : Pattern::Scattered;
    int64_t sector[2 * warpSize];
    int count = 0;
    for (int i = 0; i < warpSize; ++i)
        if (has(p.mask, i)) {
            const auto address = static_cast<int64_t>(base) + p.delta[i];
            sector[count++] = address / sectorBytes;
            if ((address + bytes - 1) / sectorBytes != address / sectorBytes)
                sector[count++] = (address + bytes - 1) / sectorBytes;
        }
    std::sort(sector, sector + count);
    count = static_cast<int>(std::unique(sector, sector + count) - sector);
    for (int i = 0; i < count; ++i)
        p.sectorAt[i] = static_cast<uint32_t>(sector[i] - sector[0]);
    p.sectors = static_cast<uint32_t>(count);
    for (uint32_t first = 0; first < sectorsPerLine; ++first) {
        p.lines[first] = count > 0;
        for (int i = 1; i < count; ++i)
            p.lines[first] += (p.sectorAt[i] + first) / sectorsPerLine != (p.sectorAt[i - 1] + first) / sectorsPerLine;
    }
    p.wavefronts = wavefronts(p, base, bytes);
    const int lanes = std::popcount(p.mask);
    const auto atLeast = [&](int64_t unit) {
        return static_cast<uint32_t>(uniform ? 1 : (lanes * bytes + unit - 1) / unit);
    };
    p.ideal = atLeast(sectorBytes);
    p.idealWavefronts = atLeast(banks * bankBytes);
}

void observe(const Warp& w, const Op* op, const Pattern& p, uint64_t base, int bytes, AccessKind kind,
             std::string_view buffer) {
    const Program& program = *w.block->program;
    gpu::MemoryAccess access;
    access.block = w.block->number;
    access.warp = w.index;
    access.line = program.instructions[program.origins[op->index].instruction].line;
    access.kind = kind == AccessKind::Read    ? gpu::MemoryAccess::Kind::Read
                  : kind == AccessKind::Write ? gpu::MemoryAccess::Kind::Write
                                              : gpu::MemoryAccess::Kind::Atomic;
    access.shared = buffer.empty();
    access.bytes = bytes;
    access.lanes = w.mask;
    for (size_t i = 0; i < warpSize; ++i)
        access.address[i] = has(w.mask, static_cast<int>(i)) ? base + static_cast<uint64_t>(p.delta[i]) : 0;
    access.buffer = buffer;
    (*w.block->launch->observer)(access);
}

std::string whereIs(const Warp& w, uint64_t address) {
    if (address < sharedWindow)
        return "shared memory";
    const GlobalMemory& memory = *w.block->launch->memory;
    // What lies just before it is what a thread ran over the end of.
    const Allocation* best = nullptr;
    int64_t distance = 1 << 16;
    for (const Allocation& a : memory.all()) {
        if (!a.live)
            continue;
        const auto past = static_cast<int64_t>(address - (a.address + static_cast<uint64_t>(a.bytes)));
        const auto before = static_cast<int64_t>(a.address - address);
        if (past >= 0 && past < distance) {
            distance = past;
            best = &a;
        } else if (before > 0 && before < distance && !best) {
            best = &a;
        }
    }
    if (!best)
        return "no buffer";
    if (address >= best->address + static_cast<uint64_t>(best->bytes))
        return fmt::format("{} bytes past the end of '{}' ({} bytes)",
                           address - best->address - static_cast<uint64_t>(best->bytes), best->name, best->bytes);
    return fmt::format("{} bytes before '{}'", best->address - address, best->name);
}

void faultOutOfBounds(Warp& w, const Op* op, const uint64_t* address, int bytes, AccessKind kind) {
    for (int i = 0; i < warpSize; ++i)
        if (has(w.mask, i)) {
            if (address[i] < sharedWindow) {
                if (address[i] + static_cast<uint64_t>(bytes) > w.block->shared.size())
                    w.block->fault(w, op, i, "out of bounds",
                                   fmt::format("{} of {} bytes at {} of {} bytes of shared memory", verb(kind), bytes,
                                               address[i], w.block->shared.size()));
            } else if (w.block->launch->memory->find(address[i], bytes) < 0) {
                w.block->fault(w, op, i, "out of bounds",
                               fmt::format("{} of {} bytes at address {:#x}, {},", verb(kind), bytes, address[i],
                                           whereIs(w, address[i])));
            }
        }
    w.block->fault(w, op, std::countr_zero(w.mask), "out of bounds", fmt::format("{} of {} bytes", verb(kind), bytes));
}

void faultMisaligned(Warp& w, const Op* op, const uint64_t* address, int bytes) {
    int lane = std::countr_zero(w.mask);
    for (int i = lane; i < warpSize; ++i)
        if (has(w.mask, i) && address[i] % static_cast<uint64_t>(bytes) != 0) {
            lane = i;
            break;
        }
    w.block->fault(w, op, lane, "misaligned",
                   fmt::format("address {:#x} for an access of {} bytes", address[lane], bytes));
}

void checkWritten(Warp& w, const Op* op, const Pattern& p, uint64_t base, int bytes) {
    const GlobalMemory& memory = *w.block->launch->memory;
    for (int i = 0; i < warpSize; ++i) {
        if (!has(p.mask, i))
            continue;
        const uint64_t address = base + static_cast<uint64_t>(p.delta[i]);
        const uint8_t* written = memory.written(address);
        if (std::find(written, written + bytes, 0) != written + bytes) {
            const int index = memory.find(address, bytes);
            const Allocation& a = memory.all()[static_cast<size_t>(std::max(index, 0))];
            w.block->report(
                w, op, i, "unwritten memory",
                fmt::format("a read of byte {} of '{}', which nobody has written,", address - a.address, a.name));
            return;
        }
    }
}

namespace {

/// A warp other than `self` whose read of the byte is not known to be past; -1: none.
int racingReader(const SharedMark& mark, int16_t self, const std::vector<uint32_t>& known) {
    for (uint32_t left = mark.readers & ~(1u << self); left != 0; left &= left - 1) {
        const int reader = std::countr_zero(left);
        if (mark.readClock > known[static_cast<size_t>(reader)])
            return reader;
    }
    return -1;
}

/// Reads at the same clock are kept as a set of warps; of two clocks the lower, which may miss a race but makes none
/// up.
void remember(SharedMark& mark, int16_t self, const std::vector<uint32_t>& known) {
    const uint32_t now = known[static_cast<size_t>(self)];
    const bool past = racingReader(mark, self, known) < 0 && now > mark.readClock;
    mark.readClock = past || mark.readers == 0 ? now : std::min(mark.readClock, now);
    mark.readers = (past ? 0 : mark.readers) | 1u << self;
}

bool isVolatile(const Warp& w, const Op* op) {
    const Program& program = *w.block->program;
    const std::string& text = program.instructions[program.origins[op->index].instruction].text;
    return text.find(".volatile") != std::string::npos;
}

void reportUnfinishedCopy(Warp& w, const Op* op, int lane, uint64_t at, uint32_t copy) {
    const Program& program = *w.block->program;
    const Program::Instruction& i = program.instructions[program.origins[copy].instruction];
    const bool known = i.source.line > 0 && static_cast<size_t>(i.source.file) < program.files.size();
    w.block->report(
        w, op, lane, "unfinished copy",
        fmt::format(
            "byte {} of shared memory is read, and nobody has waited for the copy '{}' ({}:{}{}) that fills it,", at,
            i.text, program.file, i.line,
            known ? fmt::format(", {}:{}", program.files[static_cast<size_t>(i.source.file)], i.source.line) : ""));
}

} // namespace

void checkShared(Warp& w, const Op* op, const Pattern& p, uint64_t base, int bytes, AccessKind kind) {
    Block& block = *w.block;
    block.settleDoubleWrites();
    const auto self = static_cast<int16_t>(w.index);
    const std::vector<uint32_t>& known = block.clocks[static_cast<size_t>(self)];
    const OpOrigin& origin = block.program->origins[op->index];
    const bool copies = origin.kind == OpClass::AsyncCopy;
    for (int i = 0; i < warpSize; ++i) {
        if (!has(p.mask, i))
            continue;
        for (int b = 0; b < bytes; ++b) {
            const uint64_t at = base + static_cast<uint64_t>(p.delta[i] + b);
            SharedMark& mark = block.marks[at];
            const bool unordered = mark.writer >= 0 && mark.writer != self &&
                                   mark.writeClock >= known[static_cast<size_t>(mark.writer)] + 1;
            // Two volatile writes do race: which of the values stays is anybody's guess, unless this warp has seen the
            // other's.
            const bool seen = mark.strongReads && (mark.readers >> self & 1);
            const bool wrote = unordered && (!mark.strongWrite || !origin.strong ||
                                             (kind == AccessKind::Write && !seen && isVolatile(w, op)));
            if (kind == AccessKind::Read) {
                if (!mark.written)
                    block.report(w, op, i, "unwritten memory",
                                 fmt::format("a read of byte {} of shared memory, which nobody has written,", at));
                mark.written = true; // said once
                if (mark.copy != 0)
                    reportUnfinishedCopy(w, op, i, at, mark.copy - 1);
                else if (wrote)
                    block.report(
                        w, op, i, "race",
                        fmt::format(
                            "byte {} of shared memory is read while warp {} writes it, with no barrier between,", at,
                            mark.writer));
                mark.strongReads = origin.strong && (mark.strongReads || mark.readers == 0);
                remember(mark, self, known);
            } else {
                if (kind == AccessKind::Atomic && mark.copy != 0)
                    reportUnfinishedCopy(w, op, i, at, mark.copy - 1);
                const bool read = kind == AccessKind::Write && !(mark.strongReads && origin.strong) &&
                                  racingReader(mark, self, known) >= 0;
                if (kind == AccessKind::Write && wrote && !copies && mark.copy == 0)
                    block.doubleWrites.push_back({self, i, op, at, mark.writer, block.shared[at]});
                else if (kind == AccessKind::Write && (wrote || read))
                    block.report(
                        w, op, i, "race",
                        fmt::format("byte {} of shared memory is written while warp {} {} it, with no barrier between,",
                                    at, wrote ? mark.writer : racingReader(mark, self, known),
                                    wrote ? "writes" : "reads"));
                mark.writer = kind == AccessKind::Write ? self : int16_t(-1);
                mark.writeClock = known[static_cast<size_t>(self)];
                mark.strongWrite = origin.strong;
                mark.readers = 0;
                mark.readClock = 0;
                mark.written = true;
                mark.copy = copies ? op->index + 1 : 0;
            }
        }
    }
}

void finishCopy(const Warp& w, uint32_t at, int bytes) {
    const auto self = static_cast<size_t>(w.index);
    for (uint32_t b = at; b < at + static_cast<uint32_t>(bytes); ++b) {
        SharedMark& mark = w.block->marks[b];
        if (mark.copy == 0) // overwritten meanwhile
            continue;
        mark.copy = 0;
        mark.writer = static_cast<int16_t>(self);
        mark.writeClock = w.block->clocks[self][self];
    }
}

Place locateLocal(Warp& w, const Op* op, const uint64_t* address, int bytes, AccessKind kind, int64_t* offsets) {
    Block& block = *w.block;
    AccessCount& count = block.worker->counts.accesses[op->access];
    bool uniform = true;
    const int first = std::countr_zero(w.mask);
    for (int i = 0; i < warpSize; ++i) {
        offsets[i] = 0;
        if (!has(w.mask, i))
            continue;
        if (static_cast<int64_t>(address[i]) + bytes > block.localPerThread || static_cast<int64_t>(address[i]) < 0)
            block.fault(w, op, i, "out of bounds",
                        fmt::format("{} of {} bytes at {} of {} bytes of local memory", verb(kind), bytes, address[i],
                                    block.localPerThread));
        if (address[i] % static_cast<uint64_t>(bytes) != 0)
            faultMisaligned(w, op, address, bytes);
        uniform = uniform && address[i] == address[first];
        offsets[i] = i * block.localPerThread + static_cast<int64_t>(address[i]);
    }
    const auto moved = static_cast<uint64_t>(w.active) * static_cast<uint64_t>(bytes);
    ++count.requests;
    count.bytes += moved;
    count.sectors += uniform ? (moved + sectorBytes - 1) / sectorBytes : w.active;
    count.lines += uniform ? (moved + lineBytes - 1) / lineBytes : w.active;
    count.ideal += (moved + sectorBytes - 1) / sectorBytes;
    return {w.local, offsets, Pattern::Scattered};
}

Place locateEachLane(Warp& w, const Op* op, const uint64_t* address, int bytes, AccessKind kind, int64_t* offsets) {
    Block& block = *w.block;
    GlobalMemory& memory = *block.launch->memory;
    Worker& worker = *block.worker;
    AccessCount& count = worker.counts.accesses[op->access];
    ++count.requests;
    for (int i = 0; i < warpSize; ++i) {
        offsets[i] = 0;
        if (!has(w.mask, i))
            continue;
        const uint64_t window = address[i] >> 32;
        const uint64_t low = address[i] & 0xffffffffu;
        if (address[i] % static_cast<uint64_t>(bytes) != 0)
            faultMisaligned(w, op, address, bytes);
        std::byte* host = nullptr;
        if (window == sharedWindow >> 32 && low + static_cast<uint64_t>(bytes) <= block.shared.size()) {
            host = block.shared.data() + low;
        } else if (window == localWindow >> 32 && static_cast<int64_t>(low) + bytes <= block.localPerThread) {
            host = w.local + i * block.localPerThread + low;
        } else if (window == parameterWindow >> 32 && kind == AccessKind::Read &&
                   low + static_cast<uint64_t>(bytes) <= block.launch->parameters.size()) {
            host = const_cast<std::byte*>(block.launch->parameters.data()) + low;
        } else if (const int index = memory.find(address[i], bytes); index >= 0) {
            host = memory.host(address[i]);
            Pattern one;
            one.sectors = 1;
            BufferCount& buffer = worker.counts.buffers[static_cast<size_t>(index)];
            countBuffer(buffer, one, static_cast<uint64_t>(bytes), kind);
            count.sectors += 1;
            count.lines += 1;
            if (worker.sectorStream)
                worker.sectorStream->push_back(static_cast<uint32_t>((address[i] - globalWindow) >> 5) << 2 |
                                               static_cast<uint32_t>(kind) | requestBegins);
            if (block.launch->checks && kind != AccessKind::Read)
                memory.markWritten(address[i], bytes);
        } else {
            block.fault(w, op, i, "out of bounds",
                        fmt::format("{} of {} bytes at address {:#x}, {},", verb(kind), bytes, address[i],
                                    whereIs(w, address[i])));
        }
        count.bytes += static_cast<uint64_t>(bytes);
        offsets[i] = reinterpret_cast<int64_t>(host);
    }
    return {nullptr, offsets, Pattern::Scattered};
}

} // namespace warplight::vgpu
