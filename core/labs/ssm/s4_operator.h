// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

namespace warplight::labs::ssm {

/// S4 and S4D of many channels: y = K * u.
workbench::Operator s4Operator();

} // namespace warplight::labs::ssm
