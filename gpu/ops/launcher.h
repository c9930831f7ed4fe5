// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/kernel_library.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace warplight::gpu {

/// How an operator's kernels are launched.
struct LaunchOptions {
    bool checks = false;
    std::string gpu;                            ///< whose caches and time are modelled; empty: none
    int threads = 0;                            ///< of the host that run the virtual GPU; 0: all
    std::function<void(LaunchConfig&)> prepare; ///< called before each launch, to watch it
    /// Called instead of each launch, which it has to make: to measure around it.
    std::function<void(const std::function<void()>&)> around;
    std::optional<Repetitions> measure; ///< run everything this often more for its time (a GPU that is here)
    const std::atomic<bool>* cancel = nullptr;
};

/// One launch of an operator.
struct LaunchRecord {
    std::string kernel;
    Extent grid, block;
    int64_t sharedBytes = 0;
    LaunchStats stats;
};

/// What an operator launched.
struct Launched {
    std::vector<LaunchRecord> launches;
    std::optional<Measured> measured; ///< all launches together, where they were asked to be measured
};

/// Launches an operator's kernels one after the other and remembers them, so that they can be repeated for their time.
class Launcher {
  public:
    Launcher(KernelLibrary& kernels, const LaunchOptions& how) : library(kernels), options(how) {}

    Device& device() { return library.device(); }
    /// Runs a kernel of ours to the end. `observer`: as LaunchConfig has it.
    void start(const std::string& family, const std::string& kernel, Extent grid, Extent block, int64_t sharedBytes,
               std::vector<Argument> arguments, std::function<void(const MemoryAccess&)> observer = {});
    /// A product by the device's matrix library, which it has to have; `name` says which.
    void multiply(const MatrixProduct& product, const std::string& name);
    /// Transforms rows in place by a plan of the device's Fourier library; `workArea`: of the bytes that the plan
    /// needs.
    void transform(std::shared_ptr<FourierPlan> plan, uint64_t rows, uint64_t workArea, const std::string& name);
    /// Device memory between the kernels; it lives as long as they may be repeated.
    const Buffer& temporary(int64_t bytes, const std::string& name);
    /// Measures what was launched if that was asked for. The last thing that is called.
    Launched finish();

  private:
    void run(LaunchRecord record, std::function<LaunchStats()> step);

    KernelLibrary& library;
    const LaunchOptions& options;
    std::deque<Buffer> temporaries;
    std::vector<std::function<LaunchStats()>> steps; ///< what has been launched, to launch it again
    Launched result;
};

} // namespace warplight::gpu
