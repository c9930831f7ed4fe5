// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/scan_recorder.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace warplight::gpu {
namespace {

constexpr int64_t mostTile = 512, mostTreeTile = 1024, treePad = 32;

/// Bytes of one array of a kernel's pairs in shared memory.
uint64_t arrayBytes(ScanRung rung) {
    return rung == ScanRung::HillisSteele ? 2 * 4 * mostTile
           : rung == ScanRung::Sklansky   ? 4 * mostTile
                                          : 4 * (mostTreeTile + mostTreeTile / treePad);
}

bool isInTiles(ScanRung rung) {
    return rung == ScanRung::HillisSteele || rung == ScanRung::Sklansky || rung == ScanRung::Blelloch;
}

} // namespace

ScanRecorder::ScanRecorder(ScanRung r, const ScanShape& s) : rung(r), shape(s) {
    const int64_t all = isInTiles(rung) ? scanTile(rung, s.length) : s.length;
    for (int64_t i = 0; i < all; ++i)
        begins.push_back(i);
}

void ScanRecorder::watch(LaunchConfig& config) {
    endPhase();
    ++launches;
    config.observer = [this](const MemoryAccess& access) { take(access); };
    config.phases = [this](const BlockPhase&) { endPhase(); };
    config.phaseBlocks = isInTiles(rung) ? 1 : 0;
}

std::vector<ScanPhase> ScanRecorder::phases() {
    endPhase();
    std::vector<ScanPhase> visible;
    for (ScanPhase& phase : found) {
        if (isInTiles(rung))
            std::erase_if(phase.combines, [&](const ScanCombine& c) { return c.into >= shape.length; });
        if (!phase.combines.empty())
            visible.push_back(std::move(phase));
    }
    return visible;
}

void ScanRecorder::take(const MemoryAccess& access) {
    if (!isInTiles(rung) || !access.shared) {
        takeGlobal(access);
        return;
    }
    for (int lane = 0; lane < 32; ++lane)
        if (access.lanes >> lane & 1) {
            Touched& by = touched[access.warp * 32 + lane];
            (access.kind == MemoryAccess::Kind::Read ? by.read : by.written)
                .push_back(access.address[static_cast<size_t>(lane)]);
        }
}

/// Of the rungs without tiles: a state a step, or what chunks tell each other. One block runs after the other.
void ScanRecorder::takeGlobal(const MemoryAccess& access) {
    const bool isWrite = access.kind == MemoryAccess::Kind::Write;
    const auto chunk = static_cast<int64_t>(access.block);
    const auto add = [&](const char* name, const ScanCombine& combine, bool together) {
        const bool sameName = !found.empty() && found.back().name == name;
        if (sameName && found.back().combines.back() == combine) // another warp, the other half of a pair
            return;
        if (!together || !sameName)
            found.push_back({name, {}, 0});
        found.back().combines.push_back(combine);
    };
    if (rung == ScanRung::Serial) {
        if (isWrite && access.buffer == "H")
            add("step", {0, static_cast<int64_t>(found.size()), static_cast<int64_t>(found.size()), true}, false);
    } else if (rung == ScanRung::Chunked) {
        if (isWrite && access.buffer == "pairs")
            add("pairs", {chunk, chunk, chunk, false}, true);
        if (isWrite && access.buffer == "states")
            for (int lane = 0; lane < 32; ++lane)
                if (access.lanes >> lane & 1) {
                    const int64_t at = access.warp * 32 + lane; // of the first 256 chunks
                    add("carry", {0, at, at, true}, true);
                }
        if (isWrite && access.buffer == "H")
            add("states", {chunk, chunk, chunk, true}, true);
    } else if (rung == ScanRung::LookBack) {
        if (isWrite && access.buffer == "pairs")
            add("pairs", {chunk, chunk, chunk, false}, false);
        if (!isWrite && access.buffer == "status" && access.kind == MemoryAccess::Kind::Read) {
            if (found.empty() || found.back().name != "look back" || found.back().combines.front().into != chunk)
                found.push_back({"look back", {{chunk - 1, chunk, chunk, true}}, 0});
            found.back().lookedAt += std::popcount(access.lanes);
        }
        if (isWrite && access.buffer == "H")
            add("states", {chunk, chunk, chunk, true}, false);
    }
}

void ScanRecorder::endPhase() {
    if (isInTiles(rung))
        endTilePhase();
}

bool ScanRecorder::inPairs(uint64_t address) const {
    return std::any_of(pairBases.begin(), pairBases.end(),
                       [&](uint64_t base) { return address >= base && address - base < arrayBytes(rung); });
}

int64_t ScanRecorder::stepAt(uint64_t address, uint64_t base) const {
    const auto place = static_cast<int64_t>((address - base) / 4);
    return rung == ScanRung::HillisSteele ? place % mostTile
           : rung == ScanRung::Blelloch   ? place - place / (treePad + 1)
                                          : place;
}

void ScanRecorder::endTilePhase() {
    if (touched.empty())
        return;
    if (!knowsPairs) { // the pairs as they come in: a and b of the first thread's steps
        const std::vector<uint64_t>& first = touched.begin()->second.written;
        pairBases[0] = *std::min_element(first.begin(), first.end());
        pairBases[1] = UINT64_MAX;
        for (const uint64_t address : first)
            if (address >= pairBases[0] + arrayBytes(rung))
                pairBases[1] = std::min(pairBases[1], address);
        knowsPairs = true;
        touched.clear();
        return;
    }
    ScanPhase phase{"step", {}, 0};
    for (const auto& [thread, by] : touched)
        combineInTile(phase, by);
    touched.clear();
    for (const ScanCombine& combine : phase.combines)
        if (!combine.state)
            begins[static_cast<size_t>(combine.into)] = combine.from;
    if (!phase.combines.empty())
        found.push_back(std::move(phase));
    if (rung == ScanRung::Blelloch && !found.empty() && found.back().name == "down" &&
        static_cast<int64_t>(found.back().combines.size()) == static_cast<int64_t>(begins.size()) / 2) {
        ScanPhase own{"own step", {}, 0}; // of which global memory is told without a barrier
        for (int64_t i = 0; i < shape.length; ++i)
            own.combines.push_back({i, i, i, true});
        found.push_back(std::move(own));
    }
}

/// What one thread did between two barriers.
void ScanRecorder::combineInTile(ScanPhase& phase, const Touched& by) {
    for (const uint64_t address : by.written) {
        if (address >= pairBases[0] && address < pairBases[0] + arrayBytes(rung)) {
            const int64_t into = stepAt(address, pairBases[0]);
            for (const uint64_t from : by.read) {
                if (from < pairBases[0] || from >= pairBases[0] + arrayBytes(rung))
                    continue;
                const int64_t earlier = stepAt(from, pairBases[0]);
                if (earlier == into)
                    continue;
                if (rung == ScanRung::Blelloch)
                    phase.name = "up";
                phase.combines.push_back({begins[static_cast<size_t>(earlier)], earlier + 1, into, false});
            }
        } else if (!inPairs(address)) {
            if (!knowsStates) { // the state before the first step
                stateBase = address;
                knowsStates = true;
                continue;
            }
            const int64_t right = stepAt(address, stateBase);
            for (const uint64_t from : by.read)
                if (!inPairs(from)) {
                    phase.name = "down";
                    phase.combines.push_back({stepAt(from, stateBase), right, right, true});
                }
        }
    }
}

} // namespace warplight::gpu
