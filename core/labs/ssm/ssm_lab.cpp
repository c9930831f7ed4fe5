// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

#include "core/labs/ssm/recurrence_operators.h"
#include "core/labs/ssm/ssd_operator.h"
#include "core/workbench/page.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    workbench::registerPages(registry, operators.add(ssdOperator()));
    workbench::registerPages(registry, operators.add(lruOperator()));
    workbench::registerPages(registry, operators.add(rwkv4Operator()));
    workbench::registerPages(registry, operators.add(rwkv6Operator()));
}

} // namespace warplight::labs::ssm
