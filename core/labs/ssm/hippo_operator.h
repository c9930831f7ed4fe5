// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

namespace warplight::labs::ssm {

/// HiPPO memories of many channels: U [channels, seqLen] as coefficients [channels, kept, state].
workbench::Operator hippoOperator();

} // namespace warplight::labs::ssm
