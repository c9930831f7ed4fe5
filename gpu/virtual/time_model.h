// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/cache_model.h"
#include "gpu/virtual/launch.h"

#include <cstdint>
#include <map>
#include <string>

namespace warplight::vgpu {

/// How long a launch would take on a GPU, by what limits it. See docs/time-model.md for what it leaves out.
struct ModelledTime {
    double seconds = 0;
    std::string limit;                   ///< the entry of `parts` that decides
    std::map<std::string, double> parts; ///< seconds that each part of the GPU is busy, or that latency costs
    Occupancy occupancy;
};

/// The launch's GPU; an A100 where it names none.
const GpuProfile& timedGpu(const Launch& launch);

/// Clocks of a multiprocessor that the model gives a block alone for what it did between two counts: %clock64.
uint64_t blockClocks(const Launch& launch, const LaunchCounts& now, const LaunchCounts& before);

/// What a block did between two counts; `block` is left to the caller.
gpu::BlockPhase phaseOf(const Launch& launch, const LaunchCounts& now, const LaunchCounts& before);

ModelledTime modelTime(const GpuProfile& gpu, const Launch& launch, const LaunchCounts& counts,
                       const CacheCounts& caches);

/// Registers a thread that a compiler would need about, from what is alive at one time.
int estimatedRegisters(const Program& program);

} // namespace warplight::vgpu
