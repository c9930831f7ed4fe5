// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

#include "core/labs/ssm/conv_operator.h"
#include "core/labs/ssm/hippo_operator.h"
#include "core/labs/ssm/recurrence_operators.h"
#include "core/labs/ssm/s4_operator.h"
#include "core/labs/ssm/scan_operator.h"
#include "core/labs/ssm/selective_operator.h"
#include "core/labs/ssm/ssd_operator.h"
#include "core/labs/ssm/ssm_pages.h"
#include "core/workbench/page.h"

#include <utility>
#include <vector>

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    registry.add(makeMemory());
    registry.add(makeMatrices());
    registry.add(makeSelective());
    registry.add(makeScans());
    registry.add(makeStateCache());
    for (workbench::Operator& op : std::vector<workbench::Operator>{
             selectiveScanOperator(), selectiveScanBackwardOperator(), causalConvOperator(), s4Operator(),
             hippoOperator(), ssdOperator(), ssdBackwardOperator(), scanOperator(), complexScanOperator(),
             scanBackwardOperator(), lruOperator(), rwkv4Operator(), rwkv6Operator()})
        workbench::registerPages(registry, operators.add(std::move(op)));
}

} // namespace warplight::labs::ssm
