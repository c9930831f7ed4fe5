// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/plain_line.h"

namespace warplight {
namespace {

constexpr char escape = '\x1b';

/// Behind the control sequence that begins here (ECMA-48: CSI, OSC, or one character).
size_t behindSequence(std::string_view line, size_t at) {
    ++at;
    if (at >= line.size())
        return at;
    if (line[at] == ']') { // up to BEL or ESC \.
        while (at < line.size() && line[at] != '\a' && line[at] != escape)
            ++at;
        return at + (at < line.size() && line[at] == escape ? 2 : 1);
    }
    if (line[at] != '[')
        return at + 1;
    for (++at; at < line.size() && (line[at] < '@' || line[at] > '~'); ++at) {
    }
    return at + 1;
}

} // namespace

std::string plainLine(std::string_view line) {
    std::string plain;
    plain.reserve(line.size());
    for (size_t at = 0; at < line.size();) {
        const std::string_view rest = line.substr(at);
        if (line[at] == escape) {
            at = behindSequence(line, at);
        } else if (rest.starts_with("\xC2\xA0")) {
            plain += ' ';
            at += 2;
        } else if (rest.starts_with("\xEF\xBB\xBF") || rest.starts_with("\xE2\x80\x8B")) {
            at += 3;
        } else {
            const char c = line[at++];
            if (static_cast<unsigned char>(c) >= ' ' || c == '\t')
                plain += c;
        }
    }
    if (plain.starts_with("\xFF\xFE") || plain.starts_with("\xFE\xFF")) // UTF-16, its zeros are gone
        plain.erase(0, 2);
    return plain;
}

} // namespace warplight
