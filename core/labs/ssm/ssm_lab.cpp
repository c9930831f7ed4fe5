// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

#include "core/labs/ssm/ssm_pages.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry& registry, workbench::Operators&) {
    registry.add(makeMemory());
    registry.add(makeMatrices());
}

} // namespace warplight::labs::ssm
