// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/precision/precision_lab.h"

namespace warplight::labs::precision {

void registerLab(lab::Registry& registry) {
    registry.add(makeFormats());
    registry.add(makeOverflow());
    registry.add(makeTensors());
    registry.add(makeSums());
}

} // namespace warplight::labs::precision
