// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/precision_lab.h"

namespace warplight::labs::precision {

void registerPages(lab::Registry& registry) {
    registry.add(makeFormats());
    registry.add(makeOverflow());
    registry.add(makeTensors());
    registry.add(makeSums());
    registry.add(makeGradients());
    registry.add(makeTraining());
    registry.add(makeScalerGame());
}

void registerLogs(lab::Registry& registry) { registry.add(makeScalerLog()); }

void registerLab(lab::Registry& registry) {
    registerPages(registry);
    registerLogs(registry);
}

} // namespace warplight::labs::precision
