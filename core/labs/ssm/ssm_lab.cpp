// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

#include "core/labs/ssm/conv_operator.h"
#include "core/labs/ssm/selective_operator.h"
#include "core/labs/ssm/selective_page.h"
#include "core/labs/ssm/state_cache_page.h"
#include "core/workbench/page.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    workbench::registerPages(registry, operators.add(selectiveScanOperator()));
    workbench::registerPages(registry, operators.add(selectiveScanBackwardOperator()));
    workbench::registerPages(registry, operators.add(causalConvOperator()));
    registry.add(makeSelective());
    registry.add(makeStateCache());
}

} // namespace warplight::labs::ssm
