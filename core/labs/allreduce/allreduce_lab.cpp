#include "core/labs/allreduce/allreduce_lab.h"

namespace warplight::labs {

void registerAllreduceLab(lab::Registry& registry) {
    registry.add(makeSteps());
    registry.add(makeCollectiveRace());
}

} // namespace warplight::labs
