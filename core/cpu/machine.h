// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace warplight::cpu {

/// What this machine is and can do. Peaks are measured, not looked up.
struct MachineInfo {
    std::string cpuName; ///< as the operating system says: "AMD EPYC"
    int cores = 0;       ///< usable hardware threads
    int64_t memoryBytes = 0;
    std::string instructionSet; ///< the target the kernels chose
    bool bf16Instructions = false;
};

/// Fast (no measuring): read from the operating system and the CPU.
MachineInfo machineInfo();

struct MachinePeaks {
    double fmaFlops = 0;  ///< f32 FLOP/s of a pure fused-multiply-add loop on `threads` threads (measured)
    double bandwidth = 0; ///< bytes/s of a streaming triad over a working set larger than the caches (measured)
    int threads = 0;
};

/// What measuring takes: three arrays far larger than any cache.
inline constexpr int64_t peakMeasurementBytes = 3 * (int64_t{64} << 20);

/// Measures both, in about `seconds` altogether. Throws Cancelled.
MachinePeaks measurePeaks(int threads = 0, double seconds = 0.4, const std::atomic<bool>* cancel = nullptr);

/// The peaks of this machine, measured once and kept in the user's cache directory
/// ($XDG_CACHE_HOME/warplight/peaks.txt, keyed by CPU name, instruction set and threads); measured anew when that is
/// missing or unreadable, or a glance now finds a higher one.
MachinePeaks cachedPeaks(int threads = 0, const std::atomic<bool>* cancel = nullptr);

/// f32 FMA peak alone, measured now in about `seconds`; used by the benches right before a measurement.
double measureFmaPeak(int threads, double seconds);

} // namespace warplight::cpu
