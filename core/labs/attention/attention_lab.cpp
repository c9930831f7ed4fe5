#include "core/labs/attention/attention_lab.h"

namespace warplight::labs {

void registerAttentionLab(lab::Registry& registry) {
    registry.add(makeRace());
    registry.add(makeMap());
    registry.add(makeTiles());
    registry.add(makeTraffic());
    registry.add(makeAccuracy());
}

} // namespace warplight::labs
