// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/byte_symbols.h"

#include <array>
#include <cstddef>

namespace warplight::model {
namespace {

constexpr bool staysItself(int byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr uint32_t firstOfOthers = 0x100;
constexpr int others = 68; ///< bytes that cannot be seen

struct Tables {
    std::array<uint32_t, 256> characters{};
    std::array<int, firstOfOthers + others> bytes{}; ///< of a character; -1: of none
};

constexpr Tables makeTables() {
    Tables t;
    t.bytes.fill(-1);
    uint32_t next = firstOfOthers;
    for (int byte = 0; byte < 256; ++byte) {
        const uint32_t character = staysItself(byte) ? static_cast<uint32_t>(byte) : next++;
        t.characters[static_cast<size_t>(byte)] = character;
        t.bytes[character] = byte;
    }
    return t;
}

constexpr Tables tables = makeTables();

} // namespace

std::string symbolOf(uint8_t byte) {
    const uint32_t c = tables.characters[byte];
    if (c < 0x80)
        return {static_cast<char>(c)};
    return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
}

std::optional<std::string> bytesOfSymbols(std::string_view symbols) {
    std::string bytes;
    for (size_t i = 0; i < symbols.size(); ++i) {
        uint32_t c = static_cast<uint8_t>(symbols[i]);
        if (c >= 0x80) {
            if (c < 0xC2 || c > 0xC5 || i + 1 == symbols.size()) // none of the characters takes three bytes
                return {};
            c = (c & 0x1F) << 6 | (static_cast<uint8_t>(symbols[++i]) & 0x3F);
        }
        if (c >= tables.bytes.size() || tables.bytes[c] < 0)
            return {};
        bytes += static_cast<char>(tables.bytes[c]);
    }
    return bytes;
}

} // namespace warplight::model
