// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/threads.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::collectives {

/// Stands for an algorithm: NCCL's own collective, chosen and run by the library.
constexpr std::string_view ncclLibraryAlgorithm = "nccl-library";

/// Why collectives between GPUs cannot run here, in one sentence: no NVIDIA driver, one GPU only, no libnccl.so.2.
/// Empty: they can. Never throws.
std::string whyNoNccl() noexcept;
/// NVIDIA GPUs here, each of which can be a rank; 0 when there is none.
int ncclGpuCount() noexcept;
/// "NCCL 2.28.9"; empty when there is none.
std::string ncclName() noexcept;

/// GPUs joined by NCCL, rank r on GPU r, with one thread and one stream each; kept for several runs, since joining them
/// takes NCCL a while.
class GpuRanks {
  public:
    /// Throws InputError when they are fewer than two or more than there are GPUs, or for whyNoNccl()'s reason;
    /// NcclError, CudaError, DeviceLost.
    explicit GpuRanks(int ranks);
    ~GpuRanks();
    GpuRanks(const GpuRanks&) = delete;
    GpuRanks& operator=(const GpuRanks&) = delete;

    int ranks() const;
    std::vector<std::string> names() const; ///< of the GPUs, by rank

    /// The collective of `call.schedule`, by its steps (a group of ncclSend and ncclRecv each, and our kernels that
    /// combine) or, for ncclLibraryAlgorithm, by NCCL's own (in place; reduce-scatter and all-gather want as many
    /// elements on every rank). inputs: one vector per rank.
    /// seconds: by the GPUs' own clocks, from the moment when an all-reduce of one element has brought them together to
    /// the end of the slowest; copies to and from the GPU are not part of it. In the log, times are those of each GPU's
    /// events between steps, which cost some microseconds each; the library's own collective keeps none.
    /// There is one warm-up at least: NCCL joins two GPUs when they first talk to each other.
    /// timeout: no repetition may take longer. Throws RankFailure naming the rank, Cancelled, InputError (also for a
    /// fault: these are for threads and processes). After an exception the ranks are of no use any more.
    RunOutcome run(const CollectiveCall& call, std::string_view algorithm,
                   const std::vector<std::vector<std::byte>>& inputs, const RunOptions& options);

  private:
    struct Team;
    std::unique_ptr<Team> team;
};

/// One run on as many GPUs as the schedule has ranks.
RunOutcome runOnGpus(const CollectiveCall& call, std::string_view algorithm,
                     const std::vector<std::vector<std::byte>>& inputs, const RunOptions& options);

} // namespace warplight::collectives
