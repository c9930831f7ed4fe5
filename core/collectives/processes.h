// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/threads.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::collectives {

/// What the MPI library does by itself (MPI_Allreduce and its relatives), beside algorithms().
inline constexpr std::string_view mpiLibrary = "mpi-library";

/// A collective to be run between processes; each of them makes the schedule for itself.
struct ProcessCall {
    std::string algorithm = "ring"; ///< of algorithms(), or mpiLibrary
    AlgorithmOptions options{};
    Collective collective = Collective::Allreduce;
    int64_t elements = 0;
    number::Format type = number::Format::F32;
    Reduction reduction = Reduction::Sum;
    bool divides = true; ///< Average: false leaves the sum
};

/// Why no ranks can be started as processes, in one sentence that names what to install; empty when they can.
std::string whyNoMpi();

/// Ranks that are processes, joined by MPI: mpirun is started once, for as many calls as somebody likes. After a
/// failure or a cancelled run all processes are gone, and the next run starts new ones. For one thread at a time.
class ProcessRanks {
  public:
    /// Starts nothing yet. Throws InputError with whyNoMpi(), or for less than 1 or more than 64 ranks.
    explicit ProcessRanks(int ranks);
    /// No process is left behind; neither are they when this program is killed.
    ~ProcessRanks();
    ProcessRanks(const ProcessRanks&) = delete;
    ProcessRanks& operator=(const ProcessRanks&) = delete;

    /// inputs: one vector per rank. With mpiLibrary there is no log and nothing to observe, and a fault happens before
    /// the call if it is one of step 0. Throws RankFailure, CountMismatch, Cancelled, what `observe` throws, InputError
    /// for what does not fit (also into memory), std::runtime_error when mpirun does not bring the ranks up.
    RunOutcome run(const ProcessCall& call, const std::vector<std::vector<std::byte>>& inputs,
                   const RunOptions& options);

  private:
    class Session;
    int ranks;
    std::unique_ptr<Session> session;
};

/// One run of ProcessRanks for inputs.size() ranks.
RunOutcome runOnProcesses(const ProcessCall& call, const std::vector<std::vector<std::byte>>& inputs,
                          const RunOptions& options);

} // namespace warplight::collectives
