// SPDX-License-Identifier: GPL-3.0-or-later
// Allreduce of f32 between processes beside what the MPI library does by itself:  mpi_bench [RANKS BYTES [ALGORITHM]]
// They take turns, so that both meet the same neighbours on the machine; of each the median of the medians counts.
#include "core/collectives/processes.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <string>
#include <thread>
#include <vector>

using namespace warplight;
using namespace warplight::collectives;

namespace {

constexpr int turns = 7;
constexpr double secondsPerTurn = 0.15;

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

struct Contestant {
    ProcessCall call;
    std::vector<double> medians;
    double best = 1e300;
};

void race(int ranks, int64_t bytes, const std::vector<std::string>& algorithms) {
    ProcessRanks processes(ranks);
    const std::vector<std::vector<std::byte>> inputs(
        static_cast<size_t>(ranks), std::vector<std::byte>(static_cast<size_t>(bytes), std::byte{0x30}));
    std::vector<Contestant> all;
    for (const std::string& algorithm : algorithms) {
        Contestant each;
        each.call.algorithm = algorithm;
        each.call.elements = bytes / 4;
        all.push_back(each);
    }
    for (int turn = 0; turn < turns; ++turn)
        for (Contestant& each : all) {
            RunOptions options;
            options.warmups = 2;
            const double once = turn == 0 ? 0.01 : each.best;
            options.repetitions = static_cast<int>(std::clamp(secondsPerTurn / once, 5.0, 2000.0));
            const auto seconds = processes.run(each.call, inputs, options).seconds;
            each.medians.push_back(median(seconds));
            each.best = std::min(each.best, *std::min_element(seconds.begin(), seconds.end()));
        }
    const double library = median(all.front().medians);
    for (const Contestant& each : all) {
        const double time = median(each.medians);
        fmt::print("{:5} {:12} {:20} {:12.1f} {:12.1f} {:9.2f} {:7.2f}\n", ranks, bytes, each.call.algorithm,
                   time * 1e6, each.best * 1e6, static_cast<double>(bytes) / time * 2 * (ranks - 1) / ranks * 1e-9,
                   time / library);
    }
    std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
    if (const std::string why = whyNoMpi(); !why.empty()) {
        fmt::print(stderr, "{}\n", why);
        return 1;
    }
    fmt::print("{} cores; more ranks than that take turns on them\n", std::thread::hardware_concurrency());
    fmt::print("ranks        bytes algorithm               median us      best us busbw GB/s   ratio to mpi-library\n");
    if (argc > 2) {
        std::vector<std::string> algorithms{std::string(mpiLibrary)};
        algorithms.insert(algorithms.end(), argv + 3, argv + argc);
        race(std::atoi(argv[1]), std::atoll(argv[2]), algorithms);
        return 0;
    }
    for (const int ranks : {2, 4})
        for (const int64_t bytes : {int64_t{4} << 10, int64_t{256} << 10, int64_t{1} << 20, int64_t{16} << 20})
            race(ranks, bytes, {std::string(mpiLibrary), "ring", "halving-doubling", "recursive-doubling"});
}
