// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/scan/scan.h"
#include "gpu/ops/scan_recorder.h"
#include "gpu/ops/traffic.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::ssm {

/// A recorded scan of one row: who combined what with whom, and the numbers after each step.
struct ScanWalk {
    enum class Known : uint8_t { Nothing, Pair, State };
    struct Step {
        std::string phase;
        std::vector<gpu::ScanCombine> combines;
        std::vector<float> a, b;  ///< of each element after the step; b is h where a state is known
        std::vector<Known> known; ///< after it
        int64_t lookedAt = 0;     ///< chunks whose status was read
    };
    std::string rung;
    bool onGpu = false;
    int64_t chunk = 0;       ///< steps of an element, where elements are chunks; 0: they are steps
    std::vector<float> a, b; ///< of each element before the first step
    std::vector<float> h;    ///< [length]
    std::vector<Step> steps;
    int64_t combines = 0, depth = 0, barriers = 0, handovers = 0; ///< counted
    gpu::TensorTraffic bytes;                                     ///< counted, on the virtual GPU
    double worst = 0;                                             ///< off double precision

    int64_t elements() const { return static_cast<int64_t>(a.size()); }
};

/// Inputs of one row.
struct ScanInputs {
    std::vector<float> a, b;
};

/// The rung as it runs on the CPU, in chunks of `chunk`. Throws Cancelled.
ScanWalk walkOnCpu(cpu::ScanRung rung, const ScanInputs& inputs, int64_t chunk);
/// The compiled kernels on the virtual GPU, watched. Elements are steps, or chunks where the kernels have chunks.
/// Numbers between the steps are made again from the recorded order; the last ones are the kernel's own.
ScanWalk walkOnGpu(gpu::ScanRung rung, const ScanInputs& inputs, const std::atomic<bool>* cancel);

} // namespace warplight::labs::ssm
