// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace warplight::vgpu {

/// Instruction sets that the handlers are compiled for and this machine has, the best first: "AVX3" (AVX-512), "AVX2",
/// "SSE2" (the baseline).
std::vector<std::string> supportedTargets();

/// The handlers of kernels that are decoded from now on are of this instruction set; empty: of the best one. For tests
/// and measurements; not to be called while kernels are decoded. Throws InputError naming what there is.
void useTarget(std::string_view name);

} // namespace warplight::vgpu
