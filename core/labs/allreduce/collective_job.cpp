// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/collective_job.h"

#include "core/error.h"
#include "core/lab/number_text.h"
#include "core/text/counted.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <utility>

namespace warplight::labs::allreduce {

using lab::Parameter;

std::unique_ptr<collectives::Schedule> scheduleOf(const CollectiveJob& job) {
    const bool library = job.algorithm.ends_with("-library");
    return collectives::makeSchedule(library ? "ring" : job.algorithm, job.collective, job.ranks, job.elements,
                                     job.options);
}

bool canDo(const std::string& algorithm, collectives::Collective collective) {
    for (const auto& known : collectives::algorithms())
        if (known.id == algorithm)
            return std::find(known.collectives.begin(), known.collectives.end(), collective) != known.collectives.end();
    return true;
}

collectives::NcclTest ncclTestOf(collectives::Collective collective) {
    switch (collective) {
    case collectives::Collective::ReduceScatter:
        return collectives::NcclTest::ReduceScatter;
    case collectives::Collective::AllGather:
        return collectives::NcclTest::AllGather;
    case collectives::Collective::Broadcast:
        return collectives::NcclTest::Broadcast;
    default:
        return collectives::NcclTest::AllReduce;
    }
}

double busFactor(int ranks, collectives::Collective collective) {
    return collectives::busFactor(ncclTestOf(collective), ranks).value_or(0);
}

std::vector<Parameter::Option> algorithmOptions() {
    std::vector<Parameter::Option> options;
    for (const auto& algorithm : collectives::algorithms())
        options.push_back({algorithm.id, algorithm.title, algorithm.sentence});
    return options;
}

std::string titleOf(const std::string& algorithm, collectives::Collective collective) {
    const auto which = static_cast<size_t>(collective);
    if (algorithm == "mpi-library")
        return std::array{"MPI_Allreduce", "MPI_Reduce_scatter", "MPI_Allgather", "MPI_Bcast"}.at(which);
    if (algorithm == "nccl-library")
        return std::array{"ncclAllReduce", "ncclReduceScatter", "ncclAllGather", "ncclBroadcast"}.at(which);
    for (const auto& known : collectives::algorithms())
        if (known.id == algorithm)
            return known.title;
    return algorithm;
}

const std::vector<std::string>& chosenAlgorithms(const lab::Settings& settings) {
    const auto& chosen = settings.choices("algorithms");
    if (chosen.empty())
        throw InputError("algorithms is empty, expected at least one of those that describe lists");
    return chosen;
}

Parameter transportParameter(bool simulated) {
    std::vector<Parameter::Option> options = {
        {"threads", "threads", "Ranks are threads of this process."},
        {"mpi", "MPI processes", "Ranks are processes that mpirun starts on this machine."},
        {"nccl", "NCCL, a GPU a rank", "Ranks are NVIDIA GPUs; two or more are needed."}};
    if (simulated)
        options.push_back({"simulated", "simulated network", "Discrete events on the network described below."});
    return Parameter::choice("transport", "Transport", "threads", std::move(options), "What joins the ranks.");
}

Parameter collectiveParameter() {
    return Parameter::choice("collective", "Collective", "allreduce",
                             {{"allreduce", "allreduce", "Everybody holds the combined vector."},
                              {"reduce-scatter", "reduce-scatter", "Rank r holds chunk r of the combined vector."},
                              {"all-gather", "all-gather", "Everybody holds every rank's chunk."},
                              {"broadcast", "broadcast", "Everybody holds rank 0's vector."}},
                             "What is to be where in the end; not every algorithm does each on its own.");
}

collectives::Collective collectiveOf(const lab::Settings& settings) {
    const std::string& name = settings.text("collective");
    return name == "reduce-scatter" ? collectives::Collective::ReduceScatter
           : name == "all-gather"   ? collectives::Collective::AllGather
           : name == "broadcast"    ? collectives::Collective::Broadcast
                                    : collectives::Collective::Allreduce;
}

Parameter typeParameter(const std::string& chosen) {
    return Parameter::choice("dtype", "Data type", chosen,
                             {{"f32", "f32", ""}, {"f64", "f64", ""}, {"f16", "f16", ""}, {"bf16", "bf16", ""}},
                             "Of the elements; every addition is rounded to it.");
}

Parameter reductionParameter() {
    return Parameter::choice("reduction", "Reduction", "sum",
                             {{"sum", "sum", ""}, {"max", "maximum", ""}, {"average", "average", ""}},
                             "How elements are combined.");
}

std::vector<Parameter> shapeParameters() {
    Parameter convention = Parameter::choice(
        "convention", "Chunk index convention", "nccl", {{"nccl", "NCCL", ""}, {"baidu", "Baidu", ""}},
        "Ring: rank r owns chunk r in the end (NCCL), or chunk r + 1 (Baidu's first ring all-reduce for training).");
    Parameter node = Parameter::integer("ranksPerNode", "Ranks a node", 4, 1, 1024,
                                        "Hierarchical: a ring inside of so many ranks, a tree between them.");
    Parameter pipeline = Parameter::integer("pipelineChunks", "Pieces in the pipeline", 8, 1, 1024,
                                            "Tree and double tree: pieces that follow one another.");
    const auto chosen = [](const std::vector<std::string>& ids) {
        return std::vector{lab::when("algorithm", ids), lab::when("compare", ids), lab::when("algorithms", ids)};
    };
    convention.shownWhen = chosen({"ring"});
    node.shownWhen = chosen({"hierarchical"});
    pipeline.shownWhen = chosen({"tree", "double-tree"});
    return {convention, node, pipeline};
}

collectives::AlgorithmOptions algorithmOptionsOf(const lab::Settings& settings) {
    collectives::AlgorithmOptions options;
    options.convention = settings.text("convention") == "baidu" ? collectives::ChunkConvention::Baidu
                                                                : collectives::ChunkConvention::Nccl;
    options.ranksPerNode = static_cast<int>(settings.integer("ranksPerNode"));
    options.pipelineChunks = static_cast<int>(settings.integer("pipelineChunks"));
    return options;
}

std::vector<Parameter> faultParameters() {
    Parameter fault = Parameter::choice("fault", "What goes wrong", "none",
                                        {{"none", "nothing", ""},
                                         {"dies", "a rank dies", ""},
                                         {"hangs", "a rank hangs", ""},
                                         {"slow", "a rank is slow", ""},
                                         {"count", "a rank has another count", ""}},
                                        "Tried out for real: the run ends within the timeout and names the rank.");
    Parameter rank = Parameter::integer("faultRank", "Rank", 1, 0, 1023, "The one that goes wrong.");
    Parameter step = Parameter::integer("faultStep", "From step", 1, 0, 1e6, "Counted from 0.");
    Parameter slow = Parameter::real("slowMs", "Slower by", 20, 0, 10000, "Before each of its steps.");
    slow.unit = std::string("ms");
    Parameter timeout =
        Parameter::real("timeout", "Timeout", 2, 0.1, 600, "When no rank has got ahead for so long, the run ends.");
    timeout.unit = std::string("s");
    for (Parameter* p : {&rank, &step, &timeout})
        p->shownWhen = {lab::unless("fault", {"none"})};
    slow.shownWhen = {lab::when("fault", {"slow"})};
    return {fault, rank, step, slow, timeout};
}

collectives::Fault faultOf(const lab::Settings& settings, int ranks) {
    using Kind = collectives::Fault::Kind;
    const std::string& what = settings.text("fault");
    collectives::Fault fault;
    fault.kind = what == "dies"    ? Kind::Dies
                 : what == "hangs" ? Kind::Hangs
                 : what == "slow"  ? Kind::Slow
                 : what == "count" ? Kind::WrongCount
                                   : Kind::None;
    fault.rank = static_cast<int>(settings.integer("faultRank"));
    fault.step = settings.integer("faultStep");
    fault.slowSeconds = settings.real("slowMs") / 1e3;
    if (fault.kind != Kind::None && fault.rank >= ranks)
        throw InputError(fmt::format("faultRank {}: expected a rank from 0 to {}, there {} {}", fault.rank, ranks - 1,
                                     ranks == 1 ? "is" : "are", counted(ranks, "rank")));
    return fault;
}

std::string bytesText(double bytes) { return lab::numberText(bytes, "B", ""); }
std::string secondsText(double seconds) { return lab::numberText(seconds, "s", ""); }

std::map<std::string, int64_t> collectiveColours() {
    return {{"ring", 0},         {"parameter-server", 3}, {"tree", 5},         {"recursive-doubling", 2},
            {"double-tree", 6},  {"halving-doubling", 1}, {"hierarchical", 7}, {"mpi-library", 8},
            {"nccl-library", 9}, {"rank 0", 0},           {"rank 1", 1},       {"rank 2", 2},
            {"rank 3", 4},       {"rank 4", 3},           {"rank 5", 5},       {"rank 6", 6},
            {"rank 7", 7}};
}

} // namespace warplight::labs::allreduce
