// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

#include "core/labs/ssm/s4_operator.h"
#include "core/labs/ssm/ssm_pages.h"
#include "core/workbench/page.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    registry.add(makeMatrices());
    workbench::registerPages(registry, operators.add(s4Operator()));
}

} // namespace warplight::labs::ssm
