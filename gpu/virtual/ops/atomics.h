// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/program.h"
#include "gpu/virtual/ptx/syntax.h"

#include <string>

namespace warplight::vgpu {

/// atom and red. dst: the old value (noRow: red); a: address, b: operand, c: second operand of cas; imm: offset.
/// `name` is the operation with its type, "add.f32", "cas.b32". Null if there is no such combination.
Handler atomicHandler(ptx::Space space, int addressBytes, const std::string& name);

} // namespace warplight::vgpu
