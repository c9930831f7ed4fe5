// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/files/nccl_tests.h"
#include "core/collectives/simulate/simulator.h"
#include "core/collectives/threads.h"
#include "core/lab/experiment.h"
#include "core/labs/allreduce/vectors.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::allreduce {

/// A collective to be run, as a page's settings say.
struct CollectiveJob {
    std::string transport = "threads";
    std::string algorithm = "ring"; ///< or the transport's own: "mpi-library", "nccl-library"
    collectives::Collective collective = collectives::Collective::Allreduce;
    int ranks = 4;
    int64_t elements = 1024;
    number::Format type = number::Format::F32;
    collectives::Reduction reduction = collectives::Reduction::Sum;
    collectives::AlgorithmOptions options;
    collectives::Network network; ///< of a simulated transport
    collectives::Disturbances disturbances;

    int64_t bytes() const { return elements * number::bytes(type); } ///< of one rank's vector
};

/// One run of the job's carrier (carrier.h). Throws as it does.
collectives::RunOutcome runJob(const CollectiveJob& job, const RankVectors& inputs,
                               const collectives::RunOptions& options);

/// One sentence why that transport cannot be used here; empty when it can.
std::string whyNot(const std::string& transport);

/// The job's algorithm for its collective; a library's own is described by a ring's. Throws InputError.
std::unique_ptr<collectives::Schedule> scheduleOf(const CollectiveJob& job);

/// Whether an algorithm does that collective on its own; a library does all.
bool canDo(const std::string& algorithm, collectives::Collective collective);

/// What nccl-tests calls it.
collectives::NcclTest ncclTestOf(collectives::Collective collective);

/// Bus bandwidth is that times bytes over time (nccl-tests' definition): 2 (p - 1) / p for an allreduce of p ranks,
/// (p - 1) / p for reduce-scatter and all-gather, 1 for a broadcast.
double busFactor(int ranks, collectives::Collective collective = collectives::Collective::Allreduce);

// Parameters that several pages have, and what was chosen.
std::vector<lab::Parameter::Option> algorithmOptions();
const std::vector<std::string>& chosenAlgorithms(const lab::Settings& settings); ///< throws InputError when empty
/// "Ring"; of a library's own, its function: "MPI_Bcast".
std::string titleOf(const std::string& algorithm,
                    collectives::Collective collective = collectives::Collective::Allreduce);
lab::Parameter transportParameter(bool simulated);
lab::Parameter collectiveParameter();
collectives::Collective collectiveOf(const lab::Settings& settings);
lab::Parameter typeParameter(const std::string& chosen = "f32");
lab::Parameter reductionParameter();
std::vector<lab::Parameter>
shapeParameters(); ///< convention, ranksPerNode, pipelineChunks: for algorithms that have them
collectives::AlgorithmOptions algorithmOptionsOf(const lab::Settings& settings);

/// Parameters of a fault to try out, folded away.
std::vector<lab::Parameter> faultParameters();
collectives::Fault faultOf(const lab::Settings& settings, int ranks);

/// Bytes as people write them: "8 B", "1 MiB".
std::string bytesText(double bytes);
std::string secondsText(double seconds);

/// Slots of the palette for algorithms and ranks: the same on all pages of the lab.
std::map<std::string, int64_t> collectiveColours();

} // namespace warplight::labs::allreduce
