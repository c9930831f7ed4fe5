// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/time_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace warplight::vgpu {
namespace {

constexpr double schedulers = 4;    ///< of a multiprocessor; each issues one warp instruction a clock
constexpr double specialLanes = 16; ///< exp2, reciprocal, sine … a clock and multiprocessor
constexpr double fp16PerFp32 = 2;   ///< packed arithmetic
constexpr double launchSeconds = 2e-6;
constexpr double dramEfficiency =
    0.92; ///< refresh and turnarounds: what a long copy reaches of the data sheet's figure
/// Independent instructions that a warp has under way at one time: what compilers find in unrolled loops.
constexpr double parallelism = 3;

constexpr std::string_view latencyPart = "latency";
/// Clocks until a load has what lies in the L1, in the L2, behind it (Abdelkhalik et al., arXiv 2208.11174; Jia et
/// al.).
constexpr double l1Latency = 33, l2Latency = 200, memoryLatency = 320;
/// Between the L2 and a multiprocessor: bytes a clock (Jia et al., arXiv 1804.06826).
constexpr double l2PortBytes = 64;
constexpr double sectorBytes = 32, wavefrontBytes = 128;

/// Clocks until a result can be used (Jia et al., arXiv 1804.06826 and 1903.07486; Abdelkhalik et al., arXiv
/// 2208.11174).
double latency(OpClass kind) {
    switch (kind) {
    case OpClass::Special:
        return 18;
    case OpClass::Fp64:
        return 8;
    case OpClass::Shared:
    case OpClass::Matrix:
    case OpClass::Exchange:
        return 24;
    case OpClass::Global:
    case OpClass::Local:
    case OpClass::Atomic:
    case OpClass::AsyncCopy:
        return memoryLatency;
    case OpClass::Tensor:
        return 32;
    case OpClass::Barrier:
        return 20;
    default:
        return 4.5;
    }
}

/// What a multiply-add on tensor cores costs, in those of f16 with f32 sums: the same on all GPUs of the profiles but
/// for f16 sums (the white papers' peaks, as the profiles name them).
double tensorCost(TensorRate rate, const GpuProfile& gpu) {
    switch (rate) {
    case TensorRate::HalfWithHalfSums:
        return 1 / gpu.halfSumsSpeedUp();
    case TensorRate::Tf32:
        return 2;
    case TensorRate::Byte:
        return 0.5;
    case TensorRate::Double:
        return 16;
    case TensorRate::Half:
        break;
    }
    return 1;
}

/// What a multiprocessor has to do, by its parts.
struct Work {
    double issued = 0, fp32 = 0, fp64 = 0, integer = 0, special = 0, tensor = 0, waiting = 0;
    double l1 = 0;               ///< clocks of L1 and shared memory
    double waitingForMemory = 0; ///< of `waiting`
    double loads = 0;            ///< warp instructions that wait for what the L1 may have

    Work operator-(const Work& o) const {
        Work w = *this;
        for (double Work::*part : {&Work::issued, &Work::fp32, &Work::fp64, &Work::integer, &Work::special,
                                   &Work::tensor, &Work::l1, &Work::waiting, &Work::waitingForMemory, &Work::loads})
            w.*part -= o.*part;
        return w;
    }

    Work(const Program& program, const LaunchCounts& counts, const GpuProfile& gpu) {
        for (size_t i = 0; i < program.ops.size(); ++i) {
            const OpClass kind = program.origins[i].kind;
            // Moves between registers and parameters are the compiler's: they are gone in machine code.
            if (kind == OpClass::Join || kind == OpClass::Move || kind == OpClass::Parameter)
                continue;
            const auto warps = static_cast<double>(counts.ops[i].warps);
            issued += warps;
            waiting += warps * latency(kind);
            waitingForMemory += latency(kind) == memoryLatency ? warps * memoryLatency : 0;
            fp32 += kind == OpClass::Fp32 ? warps : kind == OpClass::Fp16 ? warps / fp16PerFp32 : 0;
            fp64 += kind == OpClass::Fp64 ? warps : 0;
            integer += kind == OpClass::Integer || kind == OpClass::Compare || kind == OpClass::Convert ? warps : 0;
            special += kind == OpClass::Special ? warps : 0;
            if (kind == OpClass::Tensor)
                tensor += warps * program.origins[i].flops * tensorCost(program.origins[i].tensorRate, gpu);
            const bool reads = program.origins[i].touch == Touch::Reads || kind == OpClass::AsyncCopy;
            loads += latency(kind) == memoryLatency && reads ? warps : 0;
        }
        for (const AccessCount& a : counts.accesses)
            l1 += l1Clocks(a, gpu);
    }

    /// Global memory: each line is looked up, each lane's address worked out, each sector moved; the longest counts.
    /// Shared memory: a pass over the banks moves 128 bytes.
    static double l1Clocks(const AccessCount& a, const GpuProfile& gpu) {
        const auto requests = static_cast<double>(a.requests), bytes = static_cast<double>(a.sectors) * sectorBytes;
        const double global =
            std::max({static_cast<double>(a.lines), requests * warpSize / gpu.loadLanes, bytes / gpu.l1BytesPerClock});
        const double shared = static_cast<double>(a.wavefronts) * wavefrontBytes / gpu.l1BytesPerClock;
        return a.lines > 0 ? global : std::max(shared, requests);
    }

    /// With what the caches made of its loads.
    void hit(const CacheCounts& caches) {
        const auto share = [](uint64_t hits, uint64_t reads) {
            return reads ? static_cast<double>(hits) / static_cast<double>(reads) : 0;
        };
        const double l1Share = share(caches.l1Hits, caches.l1Reads), l2Share = share(caches.l2Hits, caches.l2Reads);
        const double average =
            l1Share * l1Latency + (1 - l1Share) * (l2Share * l2Latency + (1 - l2Share) * memoryLatency);
        waiting -= loads * (memoryLatency - average);
        waitingForMemory -= loads * (memoryLatency - average);
    }

    /// Clocks that one multiprocessor would need for it, by part, if it held so many warps at a time.
    std::map<std::string_view, double> clocks(const GpuProfile& gpu, double warpsHeld) const {
        return {{"issue", issued / schedulers},
                {"fp32", fp32 * warpSize / gpu.fp32Lanes},
                {"fp64", fp64 * warpSize / gpu.fp64Lanes},
                {"integer", integer * warpSize / gpu.integerLanes},
                {"special functions", special * warpSize / specialLanes},
                {"tensor cores", tensor / gpu.tensorFlopsPerClock},
                {"L1 and shared memory", l1},
                {latencyPart, waiting / (warpsHeld * parallelism)}};
    }
};

double longest(const std::map<std::string_view, double>& parts) {
    double most = 0;
    for (const auto& [name, part] : parts)
        most = std::max(most, part);
    return most;
}

} // namespace

const GpuProfile& timedGpu(const Launch& launch) { return launch.gpu ? *launch.gpu : gpuProfile("A100"); }

uint64_t blockClocks(const Launch& launch, const LaunchCounts& now, const LaunchCounts& before) {
    const double warps = std::ceil(static_cast<double>(launch.block.count()) / warpSize);
    const GpuProfile& gpu = timedGpu(launch);
    const Work done = Work(*launch.program, now, gpu) - Work(*launch.program, before, gpu);
    return static_cast<uint64_t>(longest(done.clocks(gpu, warps)));
}

gpu::BlockPhase phaseOf(const Launch& launch, const LaunchCounts& now, const LaunchCounts& before) {
    const GpuProfile& gpu = timedGpu(launch);
    const Work done = Work(*launch.program, now, gpu) - Work(*launch.program, before, gpu);
    gpu::BlockPhase phase;
    for (const auto& [name, clocks] : done.clocks(gpu, std::ceil(static_cast<double>(launch.block.count()) / warpSize)))
        if (name == latencyPart) {
            phase.waitingClocks = clocks;
        } else if (clocks > phase.busyClocks || phase.kind.empty()) {
            phase.busyClocks = clocks;
            phase.kind = name;
        }
    if (2 * done.waitingForMemory > done.waiting)
        phase.kind = "memory";
    return phase;
}

int estimatedRegisters(const Program& program) {
    return std::clamp((program.registersPerThread + 12 + 7) / 8 * 8, 16, 255);
}

ModelledTime modelTime(const GpuProfile& gpu, const Launch& launch, const LaunchCounts& counts,
                       const CacheCounts& caches) {
    const Program& program = *launch.program;
    ModelledTime model;
    model.occupancy = occupancy(gpu, static_cast<int64_t>(launch.block.count()), launch.registers, launch.sharedBytes);
    Work work(program, counts, gpu);
    work.hit(caches);
    // Multiprocessors that have work; the last wave of blocks may leave some idle.
    const double blocks = static_cast<double>(launch.grid.count()), held = std::max(model.occupancy.blocks, 1);
    const double full = gpu.multiprocessors, busy = std::min(blocks, full);
    const double rounds = std::ceil(blocks / full) / (blocks / full); // > 1: some have a block more than others
    const double clocks = gpu.clockHz * busy / (blocks > full ? rounds : 1.0);
    const double warpsHeld =
        std::min(held, std::ceil(blocks / full)) * std::ceil(static_cast<double>(launch.block.count()) / warpSize);
    for (const auto& [name, needed] : work.clocks(gpu, warpsHeld))
        model.parts[std::string(name)] = needed / clocks;
    const double l2Bytes = sectorBytes * static_cast<double>(caches.l2Reads + caches.l2Writes);
    model.parts["L2"] = l2Bytes / (std::min(gpu.l2BytesPerClock, l2PortBytes * busy) * gpu.clockHz);
    model.parts["DRAM"] =
        32 * static_cast<double>(caches.dramReads + caches.dramWrites) / (gpu.dramBytesPerSecond * dramEfficiency);
    for (const auto& [name, seconds] : model.parts)
        if (model.limit.empty() || seconds > model.parts[model.limit])
            model.limit = name;
    model.seconds = launchSeconds + model.parts[model.limit];
    return model;
}

} // namespace warplight::vgpu
