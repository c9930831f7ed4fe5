// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace warplight::cpu {

/// Instruction sets this machine can run, best first, for example {"AVX3", "AVX2"}; the kernels use the first.
std::vector<std::string> supportedTargets();

/// Restricts the kernels to one of supportedTargets(); an empty name lifts the restriction. For tests and benches.
void useTarget(std::string_view name);

} // namespace warplight::cpu
