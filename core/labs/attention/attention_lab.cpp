// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/attention_lab.h"

#include "core/labs/attention/attention_operator.h"
#include "core/workbench/page.h"

namespace warplight::labs::attention {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    const auto forward = operators.add(attentionOperator());
    registry.add(workbench::makeRace({forward}));
    registry.add(makeMap());
    registry.add(makeTiles());
    registry.add(workbench::makeTraffic({forward}));
    registry.add(workbench::makeAccuracy({forward}));
    workbench::registerPages(registry, operators.add(backwardOperator()));
    workbench::registerPages(registry, operators.add(blockSparseOperator()));
}

} // namespace warplight::labs::attention
