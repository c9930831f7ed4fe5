// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/rank_memory.h"

#include <cstddef>
#include <cstdint>
#include <mpi.h>
#include <span>
#include <vector>

namespace warplight::collectives {

/// The collectives that the MPI library brings: MPI_Allreduce, MPI_Reduce_scatter, MPI_Allgatherv, MPI_Bcast. f32 and
/// f64 are MPI's own types and operations; f16 and bf16, which MPI has not, are two bytes with combine() as operation.
class MpiLibrary {
  public:
    MpiLibrary(const RankCommand& command, int rank, int ranks);
    ~MpiLibrary();
    MpiLibrary(const MpiLibrary&) = delete;
    MpiLibrary& operator=(const MpiLibrary&) = delete;

    /// In place, but for the reduce-scatter, which reads `input` (the same numbers) and writes chunk `rank` of
    /// `vector`.
    void run(std::span<const std::byte> input, std::span<std::byte> vector);

  private:
    const RankCommand& command;
    int rank, ranks;
    int64_t elementBytes;
    MPI_Datatype type;
    MPI_Op operation;
    bool ownsType = false, ownsOperation = false;
    std::vector<int> counts, begins; ///< of the ranks' chunks, in elements
};

} // namespace warplight::collectives
