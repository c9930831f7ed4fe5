// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/ptx/literal.h"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <system_error>

namespace warplight::ptx {

std::optional<Operand> readLiteral(std::string word, bool negative) {
    if (word.empty() || !(word[0] >= '0' && word[0] <= '9'))
        return std::nullopt;
    Operand value;
    const auto parseBits = [&](size_t from, int base) {
        const char* end = word.data() + word.size();
        const auto [stop, error] = std::from_chars(word.data() + from, end, value.bits, base);
        return error == std::errc() && stop == end;
    };
    if (word.size() > 2 && word[0] == '0' && (word[1] == 'f' || word[1] == 'F')) {
        value.kind = Operand::Kind::Float;
        value.width = 32;
        if (word.size() != 10 || !parseBits(2, 16))
            return std::nullopt;
        value.bits ^= negative ? 0x80000000u : 0;
        return value;
    }
    if (word.size() > 2 && word[0] == '0' && (word[1] == 'd' || word[1] == 'D')) {
        value.kind = Operand::Kind::Float;
        value.width = 64;
        if (word.size() != 18 || !parseBits(2, 16))
            return std::nullopt;
        value.bits ^= negative ? uint64_t(1) << 63 : 0;
        return value;
    }
    if (word.find('.') != std::string::npos) {
        value.kind = Operand::Kind::Float;
        value.width = 64;
        double real = 0;
        const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), real);
        if (error != std::errc() || stop != word.data() + word.size())
            return std::nullopt;
        real = negative ? -real : real;
        std::memcpy(&value.bits, &real, sizeof(real));
        return value;
    }
    value.kind = Operand::Kind::Integer;
    if (word.back() == 'U')
        word.pop_back();
    bool good;
    if (word.size() > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
        good = parseBits(2, 16);
    else if (word.size() > 2 && word[0] == '0' && (word[1] == 'b' || word[1] == 'B'))
        good = parseBits(2, 2);
    else if (word.size() > 1 && word[0] == '0')
        good = parseBits(1, 8);
    else
        good = parseBits(0, 10);
    if (!good)
        return std::nullopt;
    if (negative)
        value.bits = 0 - value.bits;
    return value;
}

} // namespace warplight::ptx
