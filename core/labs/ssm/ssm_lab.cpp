// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

#include "core/labs/ssm/scan_operator.h"
#include "core/labs/ssm/scans_page.h"
#include "core/workbench/page.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    workbench::registerPages(registry, operators.add(scanOperator()));
    workbench::registerPages(registry, operators.add(complexScanOperator()));
    workbench::registerPages(registry, operators.add(scanBackwardOperator()));
    registry.add(makeScans());
}

} // namespace warplight::labs::ssm
