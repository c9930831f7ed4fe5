// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/parameter.h"
#include "core/lab/run.h"
#include "gpu/device.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace warplight::labs::inspector {

/// One access of a warp, kept: its buffer's name and where that begins.
struct AccessSample {
    gpu::MemoryAccess access; ///< its `buffer` is not valid any more
    std::string buffer;       ///< empty: shared memory
    uint64_t times = 1;       ///< accesses among those watched whose lanes lay alike
};

/// Everything that is shown of one launch.
struct Inspection {
    std::string title;  ///< "flash2, N = 512, headDim 64"
    std::string kernel; ///< its name in the PTX
    std::string ptxName, ptx;
    std::map<std::string, std::string> sources; ///< texts by the names in the PTX
    std::vector<std::string> madeUp;            ///< arguments that nobody has given: "n = i32:1024"
    gpu::Extent grid, block;
    int64_t sharedBytes = 0; ///< static and dynamic, of a block
    gpu::LaunchStats stats;
    std::optional<gpu::Finding> fault;                 ///< what stopped the kernel: then `stats` is empty
    std::map<int, std::vector<AccessSample>> accesses; ///< by PTX line: the first of each shape
    std::vector<gpu::BlockPhase> phases;               ///< of the first blocks, each block's in order
};

/// Watches launches for an inspection: first briefly every access, then phases of blocks.
class Watch {
  public:
    explicit Watch(lab::Run& r) : run(r) {}

    /// Runs `launch` twice: until enough accesses have been seen, then to its end with checks. `launch` gets what to do
    /// to the configuration before it starts, and must restore its inputs.
    void inspect(const std::function<gpu::LaunchStats(const std::function<void(gpu::LaunchConfig&)>&)>& launch,
                 const std::string& gpu, Inspection& into);

  private:
    void take(const gpu::MemoryAccess& access, Inspection& into);

    lab::Run& run;
    std::atomic<bool> enough{false};
    size_t seen = 0;
};

/// A kernel of Warplight's own, as an operator launches it. Settings: kernel, launch, seqLen, headDim, gpu.
Inspection inspectOwnKernel(const lab::Settings& settings, lab::Run& run);

} // namespace warplight::labs::inspector
