// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/simulate/network.h"
#include "core/collectives/simulate/simulator.h"
#include "core/lab/parameter.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::allreduce {

/// Parameters of a simulated network: topology, α, bandwidth, reduction rate, and what disturbs it. Shown while
/// one of `shownWhen` holds; empty: always.
std::vector<lab::Parameter> networkParameters(const std::vector<lab::Condition>& shownWhen);

collectives::Network networkOf(const lab::Settings& settings);
/// None where the rank that is to be slow is not among `ranks`.
collectives::Disturbances disturbancesOf(const lab::Settings& settings, int64_t ranks);

/// "full mesh, α = 5 µs, 25 GB/s", as a subtitle.
std::string networkText(const collectives::Network& network);

} // namespace warplight::labs::allreduce
