// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/labs/allreduce/collective_job.h"

#include <memory>
#include <string>

namespace warplight::labs::allreduce {

/// What joins the ranks of one transport, kept between runs: starting processes takes a second, joining GPUs as long.
class Carrier {
  public:
    virtual ~Carrier() = default;
    /// job.ranks is that of the carrier, job.transport its name. Throws InputError, RankFailure, CountMismatch,
    /// Cancelled.
    virtual collectives::RunOutcome run(const CollectiveJob& job, const RankVectors& inputs,
                                        const collectives::RunOptions& options) = 0;
};

/// "threads", "mpi", "nccl" or "simulated". Throws InputError with whyNot() where that is not there.
std::unique_ptr<Carrier> makeCarrier(const std::string& transport, int ranks);

} // namespace warplight::labs::allreduce
