// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/simulator.h"

#include "core/collectives/simulate/tally.h"
#include "core/collectives/transport.h"
#include "core/error.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::collectives {
namespace {

constexpr int mostBins = 1024; // a matrix of 8 MiB

int64_t checkedElementBytes(const Schedule& schedule, int64_t elementBytes) {
    // Twice the vector and as many ranks must stay countable in 63 bits.
    const int64_t most = (int64_t{1} << 61) / std::max<int64_t>(schedule.elements(), 1) / schedule.ranks();
    if (elementBytes < 1 || elementBytes > most)
        throw InputError(fmt::format("elementBytes is {}, expected 1 to {} for {} elements on {} ranks", elementBytes,
                                     most, schedule.elements(), schedule.ranks()));
    return elementBytes;
}

} // namespace

Tally::Tally(const Schedule& schedule, int64_t elementBytes, const Network& network, const Disturbances& disturbances,
             const SimulateOptions& options)
    : schedule(schedule),
      elementBytes(checkedElementBytes(schedule, elementBytes)),
      options(options),
      fabric(network, schedule.ranks()),
      weather(disturbances, fabric),
      secondsPerReducedByte(network.secondsPerReducedByte) {
    restart();
}

void Tally::restart() {
    result = {};
    result.links.resize(static_cast<size_t>(fabric.links()));
    const int p = fabric.ranks();
    result.ranksPerBin = (p + mostBins - 1) / mostBins;
    result.bins = (p + result.ranksPerBin - 1) / result.ranksPerBin;
    result.bytesBetween.resize(static_cast<size_t>(result.bins) * static_cast<size_t>(result.bins));
    if (options.keepsLog)
        result.log.emplace();
}

void Tally::look() {
    sinceLook = 0;
    checkCancelled(options.cancel);
}

void Tally::refusePartner(int rank, int64_t index, int32_t partner) {
    throw CountMismatch(
        fmt::format("step {}: rank {} has a message for or from {}, which is no other rank", index, rank, partner));
}

void Tally::count(int source, int destination, const std::vector<int64_t>& route, int64_t messages, int64_t bytes,
                  double seconds) {
    result.messages += messages;
    result.bytes += bytes;
    const int64_t cell = int64_t{source / result.ranksPerBin} * result.bins + destination / result.ranksPerBin;
    result.bytesBetween[static_cast<size_t>(cell)] += bytes;
    for (const int64_t link : route) {
        result.links[static_cast<size_t>(link)].bytes += bytes;
        result.links[static_cast<size_t>(link)].busySeconds += seconds;
    }
}

void Tally::log(const Message& message) {
    if (!result.log)
        return;
    if (static_cast<int64_t>(result.log->messages.size()) >= options.mostLogged) {
        result.log.reset();
        result.logLeftOut = true;
        return;
    }
    result.log->messages.push_back(message);
}

SimulationResult Tally::finish(std::vector<double> times, int64_t events) {
    result.finish = std::move(times);
    result.seconds = *std::max_element(result.finish.begin(), result.finish.end());
    result.events = events;
    if (result.messages > 0) {
        const auto busiest =
            std::max_element(result.links.begin(), result.links.end(), [](const auto& one, const auto& other) {
                return std::tie(one.busySeconds, one.bytes) < std::tie(other.busySeconds, other.bytes);
            });
        result.busiestLink = busiest - result.links.begin();
        result.busiestLinkName = fabric.name(result.busiestLink);
    }
    if (result.log) {
        MessageLog& log = *result.log;
        log.ranks = schedule.ranks();
        log.elements = schedule.elements();
        log.elementBytes = elementBytes;
        log.chunkBorders = schedule.chunkBorders();
        log.seconds = result.seconds;
        std::sort(log.messages.begin(), log.messages.end(), [](const Message& one, const Message& other) {
            return std::tie(one.step, one.source, one.destination) <
                   std::tie(other.step, other.source, other.destination);
        });
    }
    return std::move(result);
}

SimulationResult simulate(const Schedule& schedule, int64_t elementBytes, const Network& network,
                          const Disturbances& disturbances, const SimulateOptions& options) {
    Tally tally(schedule, elementBytes, network, disturbances, options);
    if (!options.alwaysEventQueue) {
        if (auto result = simulateByDataflow(tally))
            return std::move(*result);
        tally.restart();
    }
    return simulateByEvents(tally);
}

} // namespace warplight::collectives
