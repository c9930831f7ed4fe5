// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/linear_lab.h"

#include "core/labs/linear/gau_lab.h"
#include "core/labs/linear/linear_operator.h"
#include "core/labs/linear/linear_pages.h"
#include "core/labs/linear/sparse_lab.h"
#include "core/workbench/page.h"

#include <algorithm>

namespace warplight::labs::linear {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    const auto linear = operators.add(linearOperator()), backward = operators.add(linearBackwardOperator()),
               sparse = operators.add(sparseAttentionOperator()), lowRank = operators.add(lowRankAttentionOperator()),
               gau = operators.add(gauOperator());
    workbench::OperatorList all{linear, sparse, lowRank};
    // Exact attention, where its lab is there, takes part.
    const auto& known = operators.list();
    const auto exact = std::find_if(known.begin(), known.end(), [](const auto& op) { return op->id == "attention"; });
    if (exact != known.end())
        all.insert(all.begin() + 1, *exact);
    registry.add(
        workbench::makeRace(all, {"chunked", "recurrent", "flash-packed", "block-sparse", "few-keys", "flash2"}));
    if (!linear->onDevice(workbench::Implementation::Device::Gpu).empty())
        registry.add(workbench::makeTraffic({linear}));
    registry.add(workbench::makeAccuracy({linear}));
    registry.add(makeOrder());
    registry.add(makeMaps());
    registry.add(makeState());
    registry.add(makeForms());
    registry.add(makePatterns());
    registry.add(makePareto(all));
    registry.add(makeRecall());
    registry.add(makeLedger());
    registry.add(makeGauTraining());
    for (const auto& op : {backward, sparse, lowRank, gau})
        workbench::registerPages(registry, op);
}

} // namespace warplight::labs::linear
