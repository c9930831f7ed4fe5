// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

namespace warplight::labs::blocks {

/// What attention is made of, on its own.
workbench::Operator softmaxOperator();
workbench::Operator matmulOperator();

} // namespace warplight::labs::blocks
