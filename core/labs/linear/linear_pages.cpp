// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/linear_pages.h"

namespace warplight::labs::linear {

void registerPages(lab::Registry& registry) {
    registry.add(makeOrder());
    registry.add(makeMaps());
    registry.add(makeState());
    registry.add(makeForms());
    registry.add(makeRecall());
}

} // namespace warplight::labs::linear
