// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/message_log.h"
#include "core/collectives/simulate/disturbances.h"
#include "core/collectives/simulate/network.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace warplight::collectives {

struct SimulateOptions {
    bool keepsLog = false;
    int64_t mostLogged = 1 << 20;  ///< messages; a run of more leaves no log
    bool alwaysEventQueue = false; ///< also where no link is shared; slower, the same result
    const std::atomic<bool>* cancel = nullptr;
};

struct SimulationResult {
    struct Link {
        int64_t bytes = 0;
        double busySeconds = 0;
    };
    double seconds = 0;                ///< from 0 to the last rank's finish
    std::vector<double> finish;        ///< [ranks], seconds
    std::vector<Link> links;           ///< numbered as in Fabric
    int64_t busiestLink = -1;          ///< by busySeconds, the first of equals; -1 = nothing was sent
    std::string busiestLinkName;       ///< "" = nothing was sent
    int ranksPerBin = 1;               ///< 1 up to 1,024 ranks
    int bins = 0;                      ///< ceil(ranks / ranksPerBin)
    std::vector<int64_t> bytesBetween; ///< [bins, bins]: from row to column
    int64_t messages = 0, bytes = 0;
    int64_t events = 0;      ///< taken from the event queue; 0 where none was needed
    bool logLeftOut = false; ///< asked for, but there were more than `mostLogged` messages
    std::optional<MessageLog> log;
};

/// Runs a schedule on a network that is only calculated. Ranks meet for every message (rendezvous): it starts when
/// both have reached its step and its links are free, and takes α + bytes·β. A rank's sends follow one another in
/// their order; what it received is reduced in its order, while the port takes in the next message. A step ends with
/// its last send and its last reduction. Links serve messages one at a time in the order in which they became ready,
/// equal times in the order of the source ranks, so that a run has one result only. Memory: O(ranks + links + messages
/// of one step). Throws InputError for what is no network or disturbance and for steps of more than 2^24 messages,
/// CountMismatch when sends and receives do not match, Cancelled.
SimulationResult simulate(const Schedule& schedule, int64_t elementBytes, const Network& network,
                          const Disturbances& disturbances = {}, const SimulateOptions& options = {});

} // namespace warplight::collectives
