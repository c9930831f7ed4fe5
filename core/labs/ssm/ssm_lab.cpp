// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

<<<<<<< HEAD
<<<<<<< HEAD
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
=======
#include "core/labs/ssm/scan_operator.h"
#include "core/workbench/page.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    workbench::registerPages(registry, operators.add(scanOperator()));
    workbench::registerPages(registry, operators.add(complexScanOperator()));
    workbench::registerPages(registry, operators.add(scanBackwardOperator()));
>>>>>>> scan
=======
#include "core/labs/ssm/selective_operator.h"
#include "core/workbench/page.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    workbench::registerPages(registry, operators.add(selectiveScanOperator()));
    workbench::registerPages(registry, operators.add(selectiveScanBackwardOperator()));
>>>>>>> selective
}

} // namespace warplight::labs::ssm
