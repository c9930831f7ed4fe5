// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/gau_lab.h"

#include "core/workbench/page.h"

namespace warplight::labs::linear {

void registerGau(lab::Registry& registry, workbench::Operators& operators) {
    workbench::registerPages(registry, operators.add(gauOperator()));
    registry.add(makeLedger());
    registry.add(makeGauTraining());
}

} // namespace warplight::labs::linear
