// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/allreduce_lab.h"

namespace warplight::labs::allreduce {

void registerLab(lab::Registry& registry) {
    registry.add(makeSteps());
    registry.add(makeCollectiveRace());
    registry.add(makeScale());
    registry.add(makeLinks());
    registry.add(makeOverlap());
    registry.add(makeNumbers());
}

} // namespace warplight::labs::allreduce
