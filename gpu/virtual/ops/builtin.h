// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"

#include <string>

namespace warplight::vgpu {

/// Functions that CUDA's runtime provides to kernels: vprintf, __assertfail.
bool isBuiltin(const std::string& name);
void runBuiltin(Warp& w, const Op* op, const Program::Call& call);

} // namespace warplight::vgpu
