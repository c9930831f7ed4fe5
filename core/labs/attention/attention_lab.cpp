// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/attention/attention_lab.h"

#include "core/labs/attention/attention_operator.h"
#include "core/workbench/page.h"

namespace warplight::labs {

void registerAttentionLab(lab::Registry& registry) {
    const auto forward = std::make_shared<const workbench::Operator>(attentionOperator());
    registry.add(workbench::makeRace({forward}));
    registry.add(makeMap());
    registry.add(makeTiles());
    registry.add(workbench::makeTraffic({forward}));
    registry.add(workbench::makeAccuracy({forward}));
    workbench::registerPages(registry, std::make_shared<const workbench::Operator>(backwardOperator()));
    workbench::registerPages(registry, std::make_shared<const workbench::Operator>(blockSparseOperator()));
}

void registerAttentionOperators(workbench::Operators& operators) {
    operators.add(attentionOperator());
    operators.add(backwardOperator());
    operators.add(blockSparseOperator());
}

} // namespace warplight::labs
