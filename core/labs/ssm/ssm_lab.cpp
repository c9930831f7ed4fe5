// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/ssm_lab.h"

namespace warplight::labs::ssm {

void registerLab(lab::Registry&, workbench::Operators&) {}

} // namespace warplight::labs::ssm
