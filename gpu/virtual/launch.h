// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/block.h"

#include <string>
#include <vector>

namespace warplight::vgpu {

struct LaunchResult {
    LaunchCounts counts;
    CacheCounts caches; ///< where the launch says which GPU's
    std::vector<Finding> findings;
    std::string output;
};

/// Runs all blocks, spread over `threads` of the host (0: all). Counts, findings and output do not depend on how many.
/// Throws KernelFault (that of the lowest block), Cancelled.
LaunchResult runGrid(const Launch& launch, int threads);

} // namespace warplight::vgpu
