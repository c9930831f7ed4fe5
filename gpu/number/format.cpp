// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/number/format.h"

#include "gpu/number/half.h"

#include <array>
#include <cstddef>
#include <utility>

namespace warplight::number {
namespace {

constexpr std::array<std::pair<const char*, int64_t>, 13> formats{{{"f16", 2},
                                                                   {"bf16", 2},
                                                                   {"f32", 4},
                                                                   {"f64", 8},
                                                                   {"i8", 1},
                                                                   {"u8", 1},
                                                                   {"i16", 2},
                                                                   {"u16", 2},
                                                                   {"i32", 4},
                                                                   {"u32", 4},
                                                                   {"i64", 8},
                                                                   {"u64", 8},
                                                                   {"bool", 1}}};

} // namespace

std::string name(Format format) { return formats[static_cast<size_t>(format)].first; }
int64_t bytes(Format format) { return formats[static_cast<size_t>(format)].second; }

float rounded(float value, Format format) {
    return format == Format::F16    ? f16ToFloat(floatToF16(value))
           : format == Format::BF16 ? bf16ToFloat(floatToBf16(value))
                                    : value;
}

} // namespace warplight::number
