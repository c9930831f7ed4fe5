// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/formats/signal_file.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <span>
#include <string>
#include <vector>

namespace warplight::formats {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint32_t unknownSize = 0xFFFFFFFF; ///< of what was written to a pipe: up to the end of the file
constexpr unsigned pcm = 1, ieeeFloat = 3, extensible = 0xFFFE;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
    throw InputError(fmt::format("{}: {}", where, what));
}

/// Little endian, of up to four bytes.
uint32_t number(Bytes bytes, size_t at, size_t size) {
    uint32_t x = 0;
    for (size_t i = 0; i < size; ++i)
        x |= std::to_integer<uint32_t>(bytes[at + i]) << (8 * i);
    return x;
}

std::string name(Bytes bytes, size_t at) {
    const auto* text = reinterpret_cast<const char*>(bytes.data()) + at;
    return {text, text + 4};
}

struct Layout {
    unsigned coding = 0, channels = 0, bits = 0;
    uint32_t rate = 0;
};

Layout layoutOf(Bytes fmt, const std::string& where) {
    if (fmt.size() < 16)
        refuse(where, fmt::format("chunk 'fmt ' has {} bytes, expected at least 16", fmt.size()));
    Layout l{number(fmt, 0, 2), number(fmt, 2, 2), number(fmt, 14, 2), number(fmt, 4, 4)};
    if (l.coding == extensible) {
        if (fmt.size() < 26)
            refuse(where,
                   fmt::format("chunk 'fmt ' has {} bytes, expected at least 26 of an extensible format", fmt.size()));
        l.coding = number(fmt, 24, 2);
    }
    const bool isKnown = l.coding == pcm ? l.bits == 8 || l.bits == 16 || l.bits == 24 || l.bits == 32
                                         : l.coding == ieeeFloat && l.bits == 32;
    if (!isKnown)
        refuse(where, fmt::format("format {} of {} bits, expected PCM (1) of 8, 16, 24 or 32 bits or IEEE float (3) of "
                                  "32",
                                  l.coding, l.bits));
    if (l.channels < 1)
        refuse(where, "0 channels, expected at least 1");
    if (l.rate < 1)
        refuse(where, "a rate of 0 samples a second, expected at least 1");
    if (const unsigned frame = number(fmt, 12, 2); frame != l.channels * (l.bits / 8))
        refuse(where, fmt::format("frames of {} bytes, expected {} of {} channels of {} bits", frame,
                                  l.channels * (l.bits / 8), l.channels, l.bits));
    return l;
}

double sampleAt(Bytes data, size_t at, const Layout& l) {
    const size_t size = l.bits / 8;
    const uint32_t raw = number(data, at, size);
    if (l.coding == ieeeFloat) {
        float x = 0;
        std::memcpy(&x, &raw, sizeof x);
        return static_cast<double>(x);
    }
    if (size == 1) // the only one without a sign
        return (static_cast<double>(raw) - 128) / 128;
    const auto shifted = static_cast<int32_t>(raw << (32 - l.bits));
    return std::ldexp(static_cast<double>(shifted), -31);
}

} // namespace

Signal readWav(Bytes file, const std::string& where, const std::atomic<bool>* cancel) {
    if (file.size() < 12 || name(file, 0) != "RIFF" || name(file, 8) != "WAVE")
        refuse(where, "the file does not begin as RIFF WAVE, expected a .wav file");
    Bytes format, data;
    bool hasFormat = false, hasData = false;
    for (size_t at = 12; at + 8 <= file.size() && !hasData;) {
        const std::string chunk = name(file, at);
        const uint32_t said = number(file, at + 4, 4);
        const size_t left = file.size() - at - 8;
        const size_t size = chunk == "data" && said == unknownSize ? left : said;
        if (size > left)
            refuse(where, fmt::format("chunk '{}' has {} bytes, expected at most the {} that are left of the file",
                                      echoed(chunk), size, left));
        if (chunk == "fmt ") {
            format = file.subspan(at + 8, size);
            hasFormat = true;
        } else if (chunk == "data") {
            data = file.subspan(at + 8, size);
            hasData = true;
        }
        at += 8 + size + size % 2; // chunks begin at even places
    }
    if (!hasFormat)
        refuse(where, "no chunk 'fmt ' before the samples, expected one");
    if (!hasData)
        refuse(where, "no chunk 'data', expected one");
    const Layout layout = layoutOf(format, where);
    const size_t size = layout.bits / 8, frame = size * layout.channels, count = data.size() / frame;
    if (count == 0)
        refuse(where, "no samples, expected at least one");
    requireMemory({static_cast<int64_t>(count * sizeof(float)), 0, echoed(where), {}});
    Signal signal{std::vector<float>(count), static_cast<double>(layout.rate)};
    for (size_t i = 0; i < count; ++i) {
        if (i % 65536 == 0)
            checkCancelled(cancel);
        double sum = 0;
        for (size_t c = 0; c < layout.channels; ++c)
            sum += sampleAt(data, i * frame + c * size, layout);
        signal.samples[i] = static_cast<float>(sum / layout.channels);
    }
    return signal;
}

} // namespace warplight::formats
