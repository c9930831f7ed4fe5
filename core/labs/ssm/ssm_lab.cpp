// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

<<<<<<< HEAD
#include "core/labs/ssm/ssm_pages.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators&) {
    registry.add(makeMemory());
    registry.add(makeMatrices());
=======
#include "core/labs/ssm/ssd_operator.h"
#include "core/workbench/page.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    workbench::registerPages(registry, operators.add(ssdOperator()));
>>>>>>> ssd
}

} // namespace warplight::labs::ssm
