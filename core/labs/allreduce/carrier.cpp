#include "core/labs/allreduce/carrier.h"

#include "core/collectives/gpus.h"
#include "core/collectives/processes.h"
#include "core/error.h"

#include <fmt/format.h>

namespace warplight::labs {
namespace {

using collectives::RunOptions;
using collectives::RunOutcome;

std::unique_ptr<collectives::Schedule> scheduleOf(const CollectiveJob& job) {
    return collectives::makeSchedule(job.algorithm, collectives::Collective::Allreduce, job.ranks, job.elements,
                                     job.options);
}

class Threads : public Carrier {
  public:
    RunOutcome run(const CollectiveJob& job, const RankVectors& inputs, const RunOptions& options) override {
        const auto schedule = scheduleOf(job);
        return collectives::runOnThreads({schedule.get(), job.type, job.reduction, true}, inputs, options);
    }
};

class Processes : public Carrier {
  public:
    explicit Processes(int ranks) : processes(ranks) {}
    RunOutcome run(const CollectiveJob& job, const RankVectors& inputs, const RunOptions& options) override {
        collectives::ProcessCall call;
        call.algorithm = job.algorithm;
        call.options = job.options;
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
        const bool library = job.algorithm == collectives::ncclLibraryAlgorithm;
        CollectiveJob ours = job; // the library has no schedule of ours, but the call says what is asked
        ours.algorithm = library ? "ring" : job.algorithm;
        const auto schedule = scheduleOf(ours);
        return gpus.run({schedule.get(), job.type, job.reduction, true}, job.algorithm, inputs, options);
    }

  private:
    collectives::GpuRanks gpus;
};

} // namespace

std::unique_ptr<Carrier> makeCarrier(const std::string& transport, int ranks) {
    if (const std::string why = whyNot(transport); !why.empty())
        throw InputError(why);
    if (transport == "mpi")
        return std::make_unique<Processes>(ranks);
    if (transport == "nccl")
        return std::make_unique<Gpus>(ranks);
    return std::make_unique<Threads>();
}

std::string whyNot(const std::string& transport) {
    if (transport == "threads")
        return "";
    if (transport == "mpi")
        return collectives::whyNoMpi();
    if (transport == "nccl")
        return collectives::whyNoNccl();
    return fmt::format("transport '{}': expected threads, mpi or nccl", transport);
}

collectives::RunOutcome runJob(const CollectiveJob& job, const RankVectors& inputs, const RunOptions& options) {
    return makeCarrier(job.transport, job.ranks)->run(job, inputs, options);
}

} // namespace warplight::labs
