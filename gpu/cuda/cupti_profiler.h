// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/cupti_host.h"
#include "gpu/cuda/cupti_metrics.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace warplight::cuda {

/// What the GPU's own counters say of a launch. Measured: it differs from run to run, other programs on the GPU are
/// counted too, and lines that stay in L2 until after the launch are not among the bytes written to DRAM.
struct TrafficMeasured {
    std::string chip;                                        ///< "GA100"
    std::optional<uint64_t> dramReadBytes, dramWrittenBytes; ///< nothing on integrated chips, which cannot count them
    uint64_t l2ReadBytes = 0, l2WrittenBytes = 0;            ///< whole sectors that multiprocessors asked L2 for
    uint64_t l1Bytes = 0;                                    ///< that threads asked L1 for
    double seconds = 0;                                      ///< from the start of the range to its end
};

/// Reads the GPU's counters around launches, by CUPTI's range profiler with ranges and replays of our own: nothing is
/// saved, restored or run again behind the caller's back. Only one profiler may be at work in a process, and no other
/// one on the GPU.
class CuptiProfiler {
  public:
    /// `context` is a CUcontext of the device with that index. Throws CountersUnavailable, in particular when the
    /// driver keeps the counters to administrators.
    CuptiProfiler(const CuptiLibrary& library, void* context, int device);
    ~CuptiProfiler();
    CuptiProfiler(const CuptiProfiler&) = delete;
    CuptiProfiler& operator=(const CuptiProfiler&) = delete;

    const TrafficMetrics& metrics() const { return names; }
    /// Times `measure` runs the launch: 1 on all chips since Turing.
    size_t passes() const { return host->passes(); }

    /// `launch` starts kernels in the context of the constructor and waits for their end. A kernel that changes its
    /// inputs is measured right only where passes() is 1, or when `launch` puts them back. Throws CountersUnavailable,
    /// and what `launch` throws, after which measuring may be tried again.
    TrafficMeasured measure(const std::function<void()>& launch);

  private:
    void prepare();
    bool runPass(const std::function<void()>& launch);
    TrafficMeasured read();

    const CuptiLibrary& library;
    TrafficMetrics names;
    std::unique_ptr<CuptiHost> host;
    cupti::RangeProfilerObject* object = nullptr;
    std::vector<uint8_t> counterData;
};

} // namespace warplight::cuda
