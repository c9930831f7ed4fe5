// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace warplight::number {

/// What a tensor's numbers are stored as: in files, in memory, in kernels.
enum class Format { F16, BF16, F32, F64, I8, U8, I16, U16, I32, U32, I64, U64, Bool };

std::string name(Format format); ///< "f16", "bf16", "f32", ... as written on the command line
int64_t bytes(Format format);    ///< of one number

/// What is left of a float that was stored as f16 or bf16: to nearest, ties to even, beyond the range infinite. The
/// other formats leave it as it is.
float rounded(float value, Format format);

} // namespace warplight::number
