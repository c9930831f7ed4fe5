// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

#include "core/labs/ssm/scan_operator.h"
#include "core/labs/ssm/selective_operator.h"
#include "core/labs/ssm/ssd_operator.h"
#include "core/labs/ssm/ssm_pages.h"
#include "core/workbench/page.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    registry.add(makeMemory());
    registry.add(makeMatrices());
    for (const auto& op : {operators.add(selectiveScanOperator()), operators.add(selectiveScanBackwardOperator()),
                           operators.add(scanOperator()), operators.add(complexScanOperator()),
                           operators.add(scanBackwardOperator()), operators.add(ssdOperator())})
        workbench::registerPages(registry, op);
}

} // namespace warplight::labs::ssm
