// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/number/format.h"

#include "gpu/number/float_format.h"
#include "gpu/number/half.h"
#include "gpu/number/small_float.h"

#include <array>
#include <cstddef>
#include <utility>

namespace warplight::number {
namespace {

constexpr std::array<std::pair<const char*, int64_t>, 15> formats{{{"f16", 2},
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
                                                                   {"bool", 1},
                                                                   {"e4m3", 1},
                                                                   {"e5m2", 1}}};

} // namespace

std::string name(Format format) { return formats[static_cast<size_t>(format)].first; }
int64_t bytes(Format format) { return formats[static_cast<size_t>(format)].second; }

bool isSmallFloat(Format format) {
    return format == Format::F16 || format == Format::BF16 || format == Format::E4M3 || format == Format::E5M2;
}

float rounded(float value, Format format) {
    switch (format) {
    case Format::F16:
        return f16ToFloat(floatToF16(value));
    case Format::BF16:
        return bf16ToFloat(floatToBf16(value));
    case Format::E4M3:
    case Format::E5M2:
        return byteToFloat(floatToByte(value, format), format);
    default:
        return value;
    }
}

uint8_t floatToByte(float value, Format format) {
    static const FloatFormat &four = floatFormat("e4m3"), &five = floatFormat("e5m2");
    return static_cast<uint8_t>(encode(static_cast<double>(value), format == Format::E4M3 ? four : five));
}

float byteToFloat(uint8_t code, Format format) {
    return format == Format::E4M3 ? fromFloat8<E4M3>(code) : fromFloat8<E5M2>(code);
}

} // namespace warplight::number
