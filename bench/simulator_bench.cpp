// SPDX-License-Identifier: GPL-3.0-or-later
// Collectives on a network that is only calculated, by ranks:  simulator_bench --benchmark_filter=ring/4096
#include "core/collectives/simulate/simulator.h"

#include <benchmark/benchmark.h>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <utility>

using namespace warplight::collectives;

namespace {

void run(benchmark::State& state, const std::string& algorithm, int ranks, Topology topology) {
    const auto schedule = makeSchedule(algorithm, Collective::Allreduce, ranks, int64_t{1} << 26);
    Network network;
    network.topology = topology;
    int64_t messages = 0;
    for (auto _ : state) {
        const SimulationResult result = simulate(*schedule, 4, network);
        messages += result.messages;
        state.counters["simulated_s"] = result.seconds;
        state.counters["events"] = static_cast<double>(result.events);
    }
    state.counters["messages/s"] = benchmark::Counter(static_cast<double>(messages), benchmark::Counter::kIsRate);
}

} // namespace

int main(int argc, char** argv) {
    const std::pair<Topology, const char*> topologies[]{{Topology::FullMesh, "full-mesh"},
                                                        {Topology::FatTree, "fat-tree"},
                                                        {Topology::Islands, "islands"},
                                                        {Topology::Ring, "ring"}};
    for (const Algorithm& algorithm : algorithms())
        for (const int ranks : {1024, 4096, 16384})
            for (const auto& [topology, name] : topologies) {
                benchmark::RegisterBenchmark(fmt::format("{}/{}/{}", algorithm.id, ranks, name).c_str(),
                                             [id = algorithm.id, ranks = ranks, topology = topology](
                                                 benchmark::State& state) { run(state, id, ranks, topology); })
                    ->Iterations(1)
                    ->Unit(benchmark::kSecond);
            }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
