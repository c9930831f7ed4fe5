// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/counters.h"

#include <algorithm>

namespace warplight::vgpu {
namespace {

/// Applies f(ours, theirs) to each count.
template <class F>
void combine(LaunchCounts& a, const LaunchCounts& b, F f) {
    a.ops.resize(std::max(a.ops.size(), b.ops.size()));
    for (size_t i = 0; i < b.ops.size(); ++i) {
        f(a.ops[i].warps, b.ops[i].warps);
        f(a.ops[i].threads, b.ops[i].threads);
    }
    a.accesses.resize(std::max(a.accesses.size(), b.accesses.size()));
    for (size_t i = 0; i < b.accesses.size(); ++i)
        for (uint64_t AccessCount::*part : {&AccessCount::requests, &AccessCount::bytes, &AccessCount::sectors,
                                            &AccessCount::lines, &AccessCount::wavefronts, &AccessCount::ideal})
            f(a.accesses[i].*part, b.accesses[i].*part);
    a.buffers.resize(std::max(a.buffers.size(), b.buffers.size()));
    for (size_t i = 0; i < b.buffers.size(); ++i)
        for (uint64_t BufferCount::*part :
             {&BufferCount::readRequests, &BufferCount::readBytes, &BufferCount::readSectors,
              &BufferCount::writeRequests, &BufferCount::writtenBytes, &BufferCount::writtenSectors,
              &BufferCount::atomicRequests, &BufferCount::atomicBytes})
            f(a.buffers[i].*part, b.buffers[i].*part);
    f(a.branches, b.branches);
    f(a.divergentBranches, b.divergentBranches);
    f(a.barriers, b.barriers);
}

} // namespace

void LaunchCounts::add(const LaunchCounts& other) {
    combine(*this, other, [](uint64_t& a, uint64_t b) { a += b; });
}

void LaunchCounts::subtract(const LaunchCounts& other) {
    combine(*this, other, [](uint64_t& a, uint64_t b) { a -= b; });
}

void LaunchCounts::clear() {
    std::fill(ops.begin(), ops.end(), OpCount());
    std::fill(accesses.begin(), accesses.end(), AccessCount());
    std::fill(buffers.begin(), buffers.end(), BufferCount());
    branches = divergentBranches = barriers = 0;
}

} // namespace warplight::vgpu
