// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/simulate/simulator.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace warplight::collectives {

/// What both ways of simulating share: what a message costs, and what is written down of it.
class Tally {
  public:
    Tally(const Schedule& schedule, int64_t elementBytes, const Network& network, const Disturbances& disturbances,
          const SimulateOptions& options);

    const Schedule& schedule;
    const int64_t elementBytes;
    const SimulateOptions& options;
    const Fabric fabric;
    const Weather weather;

    /// Seconds from a message's start until it is in.
    double messageSeconds(int source, int destination, const LinkCost& cost, const std::vector<int64_t>& route,
                          double start, int64_t bytes) {
        const double slowdown = std::max(weather.of(source).slowdown, weather.of(destination).slowdown);
        const double latency = cost.latency * slowdown, perByte = cost.secondsPerByte * slowdown;
        if (weather.calm())
            return latency + static_cast<double>(bytes) * perByte;
        return latency + weather.transferSeconds(route, start + latency, static_cast<double>(bytes), perByte, poll);
    }
    /// Throws CountMismatch for partners that are no ranks.
    void checkPartners(int rank, int64_t index, const Step& step) const {
        for (const Step::Send& send : step.sends)
            checkPartner(rank, index, send.to);
        for (const Step::Receive& receive : step.receives)
            checkPartner(rank, index, receive.from);
    }
    double reduceSeconds(int rank, int64_t bytes) const {
        return static_cast<double>(bytes) * secondsPerReducedByte * weather.of(rank).slowdown;
    }
    /// Adds messages of one pair to the links and the matrix.
    void count(int source, int destination, const std::vector<int64_t>& route, int64_t messages, int64_t bytes,
               double seconds);
    void log(const Message& message);
    /// Does `units` of some 50 ns: looks at the token often enough. Throws Cancelled.
    void work(int64_t units) {
        if ((sinceLook += units) >= unitsPerLook)
            look();
    }
    SimulationResult finish(std::vector<double> times, int64_t events);
    /// Forgets everything written down.
    void restart();

  private:
    static constexpr int64_t unitsPerLook = 1 << 15;
    void look();
    void checkPartner(int rank, int64_t index, int32_t partner) const {
        if (partner < 0 || partner >= fabric.ranks() || partner == rank)
            refusePartner(rank, index, partner);
    }
    [[noreturn]] static void refusePartner(int rank, int64_t index, int32_t partner);

    const double secondsPerReducedByte;
    const std::function<void()> poll = [this] { work(1); };
    int64_t sinceLook = 0;
    SimulationResult result;
};

/// Step after step, all ranks together, no queue. Only where each rank sends and receives at most one message a step
/// and no two ranks ever send through the same link: then a message waits for its two ranks and for nothing else.
/// nullopt = the schedule is none of these; what it counted has to be forgotten.
std::optional<SimulationResult> simulateByDataflow(Tally& tally);
SimulationResult simulateByEvents(Tally& tally);

} // namespace warplight::collectives
