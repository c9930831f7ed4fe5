// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::vgpu {

/// What the time and cache models know of a GPU, from its data sheet and the CUDA programming guide.
struct GpuProfile {
    std::string_view id, name;
    int multiprocessors;
    double clockHz;      ///< boost
    int64_t l1Bytes;     ///< of a multiprocessor, L1 and shared memory together
    int64_t sharedBytes; ///< of a multiprocessor, at most
    int64_t l2Bytes;
    double l2BytesPerClock; ///< of the whole GPU
    double dramBytesPerSecond;
    int fp32Lanes, fp64Lanes, integerLanes; ///< of a multiprocessor: operations a clock
    int loadLanes;                          ///< of a multiprocessor: its load/store units, addresses a clock
    int l1BytesPerClock;                    ///< of a multiprocessor, L1 and shared memory together
    double tensorFlopsPerClock;             ///< of a multiprocessor: f16 with f32 sums, dense
    int maxThreads, maxBlocks;              ///< of a multiprocessor
    int architecture;                       ///< 80: sm_80
    std::string_view source;

    /// Of tensor cores, with f16 sums instead of f32: GeForce cards halve the rate of the latter (GA102 and Ada white
    /// papers: 142 and 330.3 TFLOP/s with f16 sums), others have both at full rate.
    double halfSumsSpeedUp() const { return name.starts_with("GeForce") ? 2 : 1; }
};

std::span<const GpuProfile> gpuProfiles();
/// By id, "A100"; throws InputError that lists the ids.
const GpuProfile& gpuProfile(std::string_view id);

/// By the name that a driver or a profiler gives a card, "NVIDIA H100 80GB HBM3"; null if none fits: an A100 of 80 GB
/// has another bandwidth than one of 40.
const GpuProfile* gpuProfileOfCard(std::string_view card);

/// Blocks that a multiprocessor holds at one time, and what limits them.
struct Occupancy {
    int blocks = 0;
    double share = 0;       ///< of the multiprocessor's threads
    std::string_view limit; ///< "threads", "blocks", "registers", "shared memory"
};
/// Blocks that each resource alone would let a multiprocessor hold.
std::array<std::pair<std::string_view, int64_t>, 4> occupancyLimits(const GpuProfile& gpu, int64_t threads,
                                                                    int registers, int64_t sharedBytes);
Occupancy occupancy(const GpuProfile& gpu, int64_t threads, int registers, int64_t sharedBytes);

} // namespace warplight::vgpu
