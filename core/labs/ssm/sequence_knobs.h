// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

namespace warplight::labs::ssm {

/// Knobs of operators whose inputs are [batch, seqLen, ...].
workbench::Knob lengthKnob(workbench::Page page);
workbench::Knob batchKnob();

} // namespace warplight::labs::ssm
