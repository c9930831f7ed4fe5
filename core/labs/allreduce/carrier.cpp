// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/carrier.h"

#include "core/collectives/gpus/gpus.h"
#include "core/collectives/processes.h"
#include "core/error.h"
#include "core/labs/allreduce/replay.h"
#include "core/text/counted.h"

#include <fmt/format.h>
#include <string>

namespace warplight::labs::allreduce {
namespace {

using collectives::RunOptions;
using collectives::RunOutcome;

class Threads : public Carrier {
  public:
    RunOutcome run(const CollectiveJob& job, const RankVectors& inputs, const RunOptions& options) override {
        const auto schedule = scheduleOf(job);
        return collectives::runOnThreads({schedule.get(), job.type, job.reduction, true}, inputs, options);
    }
};

/// Ranks that are only calculated: times come from the simulator, what the ranks hold from its messages.
class Simulated : public Carrier {
  public:
    RunOutcome run(const CollectiveJob& job, const RankVectors& inputs, const RunOptions& options) override {
        if (options.fault.kind != collectives::Fault::Kind::None)
            throw InputError("fault: ranks of a simulated network do not fail; choose a disturbance");
        const auto schedule = scheduleOf(job);
        collectives::SimulateOptions how;
        how.keepsLog = true;
        how.cancel = options.cancel;
        const auto result =
            collectives::simulate(*schedule, number::bytes(job.type), job.network, job.disturbances, how);
        if (result.logLeftOut || !result.log)
            throw InputError(fmt::format("{} messages of {} are more than can be shown one by one", result.messages,
                                         counted(job.ranks, "rank")));
        RunOutcome outcome;
        outcome.seconds = {result.seconds};
        outcome.log = *result.log;
        Replay replay(outcome.log, job, inputs);
        while (replay.next())
            if (options.cancel && *options.cancel)
                throw Cancelled();
        outcome.results = replay.finished();
        return outcome;
    }
};

class Processes : public Carrier {
  public:
    explicit Processes(int ranks) : processes(ranks) {}
    RunOutcome run(const CollectiveJob& job, const RankVectors& inputs, const RunOptions& options) override {
        collectives::ProcessCall call;
        call.algorithm = job.algorithm;
        call.options = job.options;
        call.collective = job.collective;
        call.elements = job.elements;
        call.type = job.type;
        call.reduction = job.reduction;
        return processes.run(call, inputs, options);
    }

  private:
    collectives::ProcessRanks processes;
};

class Gpus : public Carrier {
  public:
    explicit Gpus(int ranks) : gpus(ranks) {}
    RunOutcome run(const CollectiveJob& job, const RankVectors& inputs, const RunOptions& options) override {
        const auto schedule = scheduleOf(job);
        return gpus.run({schedule.get(), job.type, job.reduction, true}, job.algorithm, inputs, options);
    }

  private:
    collectives::GpuRanks gpus;
};

} // namespace

std::unique_ptr<Carrier> makeCarrier(const std::string& transport, int ranks) {
    if (const std::string why = whyNot(transport); !why.empty())
        throw InputError(why);
    if (transport == "simulated")
        return std::make_unique<Simulated>();
    if (transport == "mpi")
        return std::make_unique<Processes>(ranks);
    if (transport == "nccl")
        return std::make_unique<Gpus>(ranks);
    return std::make_unique<Threads>();
}

std::string whyNot(const std::string& transport) {
    if (transport == "threads" || transport == "simulated")
        return "";
    if (transport == "mpi")
        return collectives::whyNoMpi();
    if (transport == "nccl")
        return collectives::whyNoNccl();
    return fmt::format("transport '{}': expected threads, mpi, nccl or simulated", transport);
}

collectives::RunOutcome runJob(const CollectiveJob& job, const RankVectors& inputs, const RunOptions& options) {
    return makeCarrier(job.transport, job.ranks)->run(job, inputs, options);
}

} // namespace warplight::labs::allreduce
