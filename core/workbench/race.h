// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/page.h"

namespace warplight::workbench {

/// Race of the compiled kernels, point by point: on the virtual GPU in modelled time, on an NVIDIA GPU in measured time
/// with the modelled one beside it.
void raceOnGpu(const PageSetup& setup, const lab::Settings& settings, lab::Run& run);

} // namespace warplight::workbench
