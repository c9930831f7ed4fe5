// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace warplight::number {

/// What a tensor's numbers are stored as: in files, in memory, in kernels.
enum class Format { F16, BF16, F32, F64, I8, U8, I16, U16, I32, U32, I64, U64, Bool, E4M3, E5M2 };

std::string name(Format format); ///< "f16", "bf16", "f32", "e4m3", ... as written on the command line
int64_t bytes(Format format);    ///< of one number

/// Whether a float loses digits when it is stored so: f16, bf16, e4m3, e5m2.
bool isSmallFloat(Format format);
/// What is left of a float that was stored as one of these: to nearest, ties to even, beyond the range infinite (e4m3,
/// which has no infinity: NaN). The other formats leave it as it is.
float rounded(float value, Format format);

/// The code of a number in e4m3 or e5m2, rounded in the same way, and the number of a code.
uint8_t floatToByte(float value, Format format);
float byteToFloat(uint8_t code, Format format);

} // namespace warplight::number
