// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/cache_model.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

namespace warplight::vgpu {
namespace {

constexpr int l1Ways = 4, l2Ways = 16;
constexpr uint32_t lineBytes = 128, sectorsPerLine = 4, nothing = 0xffffffffu;
constexpr size_t turn = 32; ///< sectors of a block before the next one's come
constexpr int64_t leastL1 = 8 * 1024;

enum Kind : uint32_t { Read, Write, Atomic }; // as AccessKind

} // namespace

std::vector<uint32_t> warpsInTurn(const std::vector<uint32_t>& sectors, const std::vector<WarpTurn>& turns) {
    std::vector<uint32_t> result;
    result.reserve(sectors.size());
    const auto beginOf = [&](size_t t) {
        return t < turns.size() ? std::min(turns[t].begin, sectors.size()) : sectors.size();
    };
    struct Pieces { // of a warp
        std::vector<std::pair<size_t, size_t>> left;
        size_t at = 0;
    };
    std::vector<Pieces> warps;
    for (size_t first = 0, last = 0; first < turns.size(); first = last) {
        warps.clear();
        for (; last < turns.size() && turns[last].phase == turns[first].phase; ++last) {
            if (warps.size() <= turns[last].warp)
                warps.resize(turns[last].warp + 1);
            if (beginOf(last) < beginOf(last + 1))
                warps[turns[last].warp].left.emplace_back(beginOf(last), beginOf(last + 1));
        }
        for (bool more = true; more;) {
            more = false;
            for (Pieces& warp : warps) {
                if (warp.at == warp.left.size())
                    continue;
                more = true;
                auto& [begin, end] = warp.left[warp.at];
                do
                    result.push_back(sectors[begin++] & ~requestBegins);
                while (begin < end && !(sectors[begin] & requestBegins));
                warp.at += begin == end;
            }
        }
    }
    return result;
}

SectoredCache::SectoredCache(int64_t bytes, int w)
    : sets(std::max<size_t>(1, static_cast<size_t>(bytes) / lineBytes / static_cast<size_t>(w))),
      ways(static_cast<size_t>(w)),
      lines(sets * ways) {}

void SectoredCache::clear() {
    std::fill(lines.begin(), lines.end(), Line());
    clock = 0;
}

SectoredCache::Line& SectoredCache::find(uint32_t sector, Line& evicted) {
    const uint32_t tag = sector / sectorsPerLine;
    // Powers of two apart shall not meet in one set: mixes the upper bits in.
    const size_t set = (tag ^ tag >> 7 ^ tag >> 13) % sets;
    Line* const begin = &lines[set * ways];
    Line* oldest = begin;
    evicted.tag = nothing;
    ++clock;
    for (Line* line = begin; line < begin + ways; ++line) {
        if (line->tag == tag) {
            line->used = clock;
            return *line;
        }
        if (line->used < oldest->used)
            oldest = line;
    }
    evicted = *oldest;
    *oldest = {tag, clock, 0, 0};
    return *oldest;
}

CacheModel::CacheModel(const GpuProfile& gpu, const GlobalMemory& m, uint64_t count, int perMultiprocessor,
                       int64_t sharedBytes)
    : memory(m),
      l1Bytes(std::max(leastL1, (gpu.l1Bytes - perMultiprocessor * sharedBytes) / std::max(perMultiprocessor, 1))),
      blocks(count),
      perWave(static_cast<uint64_t>(gpu.multiprocessors) * static_cast<uint64_t>(std::max(perMultiprocessor, 1))),
      l2(gpu.l2Bytes, l2Ways) {
    totals.readOf.resize(memory.all().size());
    totals.writtenOf.resize(memory.all().size());
}

std::vector<uint32_t> CacheModel::filter(const std::vector<uint32_t>& sectors, CacheCounts& counts) const {
    thread_local SectoredCache l1(0, l1Ways);
    thread_local int64_t size = -1;
    if (size != l1Bytes)
        l1 = SectoredCache(size = l1Bytes, l1Ways);
    else
        l1.clear();
    std::vector<uint32_t> missed;
    SectoredCache::Line evicted;
    for (const uint32_t entry : sectors) {
        const uint32_t sector = entry >> 2, bit = 1u << sector % sectorsPerLine;
        if ((entry & 3) == Read) {
            ++counts.l1Reads;
            SectoredCache::Line& line = l1.find(sector, evicted);
            if (line.valid & bit) {
                ++counts.l1Hits;
                continue;
            }
            line.valid |= static_cast<uint8_t>(bit);
        }
        missed.push_back(entry);
    }
    return missed;
}

void CacheModel::add(uint64_t block, std::vector<uint32_t> missed) {
    waiting[block] = std::move(missed);
    while (nextWave * perWave < blocks) {
        const uint64_t first = nextWave * perWave, count = std::min(perWave, blocks - first);
        if (waiting.size() < count || waiting.begin()->first != first)
            return;
        auto last = waiting.begin();
        std::advance(last, static_cast<std::ptrdiff_t>(count - 1));
        if (last->first != first + count - 1)
            return;
        runWave();
        ++nextWave;
    }
}

void CacheModel::runWave() {
    const uint64_t first = nextWave * perWave, end = std::min(first + perWave, blocks);
    std::vector<std::vector<uint32_t>> streams;
    for (uint64_t block = first; block < end; ++block) {
        streams.push_back(std::move(waiting.at(block)));
        waiting.erase(block);
    }
    bool more = true;
    for (size_t at = 0; more; at += turn) {
        more = false;
        for (const std::vector<uint32_t>& stream : streams) {
            for (size_t i = at; i < std::min(at + turn, stream.size()); ++i)
                access(stream[i]);
            more = more || at + turn < stream.size();
        }
    }
}

int CacheModel::allocationOf(uint32_t sector) const {
    return memory.find(globalWindow + static_cast<uint64_t>(sector) * 32, 0);
}

void CacheModel::access(uint32_t entry) {
    const uint32_t sector = entry >> 2;
    const auto bit = static_cast<uint8_t>(1u << sector % sectorsPerLine);
    SectoredCache::Line evicted;
    SectoredCache::Line& line = l2.find(sector, evicted);
    if (evicted.tag != nothing && evicted.dirty) {
        const auto written = static_cast<uint64_t>(std::popcount(evicted.dirty));
        totals.dramWrites += written;
        if (const int a = allocationOf(evicted.tag * sectorsPerLine); a >= 0)
            totals.writtenOf[static_cast<size_t>(a)] += written;
    }
    const Kind kind = static_cast<Kind>(entry & 3);
    if (kind != Write) {
        ++totals.l2Reads;
        if (line.valid & bit) {
            ++totals.l2Hits;
        } else {
            ++totals.dramReads;
            if (const int a = allocationOf(sector); a >= 0)
                ++totals.readOf[static_cast<size_t>(a)];
        }
    }
    if (kind != Read) {
        ++totals.l2Writes;
        line.dirty |= bit;
    }
    line.valid |= bit;
}

void CacheModel::finish(CacheCounts& counts) {
    for (const SectoredCache::Line& line : l2.all())
        if (line.tag != nothing && line.dirty) {
            const auto written = static_cast<uint64_t>(std::popcount(line.dirty));
            totals.dramWrites += written;
            if (const int a = allocationOf(line.tag * sectorsPerLine); a >= 0)
                totals.writtenOf[static_cast<size_t>(a)] += written;
        }
    const uint64_t l1Reads = counts.l1Reads, l1Hits = counts.l1Hits;
    counts = totals;
    counts.l1Reads = l1Reads;
    counts.l1Hits = l1Hits;
}

} // namespace warplight::vgpu
