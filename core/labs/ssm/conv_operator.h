// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

namespace warplight::labs::ssm {

/// The depthwise causal convolution with silu before a selective scan. Its numbers: batch, dim, len, width; silu; and
/// whether there is a bias.
workbench::Operator causalConvOperator();

} // namespace warplight::labs::ssm
