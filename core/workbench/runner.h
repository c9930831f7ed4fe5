// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"
#include "core/workbench/page.h"
#include "core/workbench/stopwatch.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/ops/traffic.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace warplight::workbench {

/// Tensors of a problem, its inputs filled: the same for a seed on every machine. Throws InputError, Cancelled.
Tensors makeTensors(const Operator& op, const Problem& problem, const std::string& kind, uint64_t seed,
                    const std::atomic<bool>* cancel);

/// What repeated calls on the CPU took, and the most that was held beyond the tensors (measured).
struct CpuPoint {
    Timing timing;
    int64_t extraBytes = 0;
};
CpuPoint timeOnCpu(const Contestant& contestant, const Problem& problem, Tensors& tensors,
                   const cpu::RunOptions& options, double seconds, lab::Run& run);

/// What the virtual GPU counted while it ran an implementation once, and what its models make of that.
struct VirtualPoint {
    double seconds = 0, dramBytes = 0;               ///< modelled
    double hostSeconds = 0;                          ///< measured: what the virtual GPU itself took
    std::string limit;                               ///< of the launch that takes longest
    double occupancy = 1;                            ///< of the same
    gpu::TensorTraffic counted;                      ///< by buffer
    std::map<std::string, double> sectorBytes, dram; ///< by buffer
};
/// `options.gpu` says whose time and caches are modelled.
VirtualPoint runOnVirtualGpu(const Contestant& contestant, const Problem& problem, Tensors& tensors,
                             gpu::KernelLibrary& library, const gpu::LaunchOptions& options);

/// The time on a GPU that is here.
std::optional<gpu::Measured> timeOnGpu(const Contestant& contestant, const Problem& problem, Tensors& tensors,
                                       gpu::KernelLibrary& library, const std::atomic<bool>* cancel);

/// What this machine holds while the virtual GPU runs it, besides the inputs: the device's memory, with a mark for each
/// byte that was written, and the results.
int64_t virtualBytes(const Contestant& contestant, const Problem& problem);

/// Says once for each reason which implementations cannot do what is asked, and why.
class LeftOut {
  public:
    explicit LeftOut(lab::Run& r) : run(r) {}
    void add(const std::string& implementation, const std::string& why);
    void tell();
    /// Throws InputError with the first reason, if there is one: for when nothing is left.
    void refuse() const;

  private:
    lab::Run& run;
    std::map<std::string, std::vector<std::string>> byReason; ///< names, each once
};

} // namespace warplight::workbench
