// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/linear/linear_lab.h"

#include "core/labs/linear/linear_operator.h"
#include "core/workbench/page.h"

namespace warplight::labs::linear {

void registerLab(lab::Registry& registry, workbench::Operators& operators) {
    workbench::registerPages(registry, operators.add(linearOperator()));
}

} // namespace warplight::labs::linear
