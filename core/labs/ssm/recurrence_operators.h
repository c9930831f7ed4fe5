// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

namespace warplight::labs::ssm {

/// The linear recurrent unit. Its numbers: batch, seqLen, channels, complex (2).
workbench::Operator lruOperator();
/// RWKV-4's weighted average: batch, seqLen, channels.
workbench::Operator rwkv4Operator();
/// RWKV-6's state: batch, seqLen, heads, keyDim, valueDim.
workbench::Operator rwkv6Operator();

} // namespace warplight::labs::ssm
