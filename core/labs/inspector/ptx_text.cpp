// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/inspector/ptx_text.h"

#include <map>
#include <sstream>

namespace warplight::labs::inspector {
namespace {

/// `.file 1 "saxpy.cu"` anywhere in the text: usually at its end.
std::map<int, std::string> files(const std::string& ptx) {
    std::map<int, std::string> names;
    std::istringstream lines(ptx);
    for (std::string line; std::getline(lines, line);) {
        const size_t at = line.find(".file");
        const size_t open = line.find('"'), close = line.find('"', open == std::string::npos ? open : open + 1);
        if (at == std::string::npos || open == std::string::npos || close == std::string::npos || at > open ||
            line.find_first_not_of(" \t") != at)
            continue;
        if (int number = 0; std::istringstream(line.substr(at + 5)) >> number)
            names[number] = line.substr(open + 1, close - open - 1);
    }
    return names;
}

/// Whether a line declares the kernel: ".visible .entry name(".
bool declares(const std::string& line, const std::string& kernel) {
    const size_t entry = line.find(".entry");
    const size_t name = entry == std::string::npos ? entry : line.find(kernel, entry);
    if (name == std::string::npos)
        return false;
    const size_t end = name + kernel.size();
    const bool begins = line[name - 1] == ' ' || line[name - 1] == '\t';
    return begins && (end == line.size() || line[end] == '(' || line[end] == ' ' || line[end] == '\r');
}

} // namespace

std::vector<PtxLine> kernelLines(const std::string& ptx, const std::string& kernel) {
    const std::map<int, std::string> names = files(ptx);
    std::vector<PtxLine> result;
    std::istringstream lines(ptx);
    std::string file;
    int sourceLine = 0, number = 0, depth = 0;
    bool inside = false, opened = false;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        inside = inside || declares(line, kernel);
        if (!inside)
            continue;
        const size_t first = line.find_first_not_of(" \t\r");
        if (first == std::string::npos)
            continue;
        if (line.compare(first, 4, ".loc") == 0) {
            std::istringstream words(line.substr(first + 4));
            int of = 0;
            if (words >> of >> sourceLine)
                file = names.contains(of) ? names.at(of) : "";
            continue;
        }
        for (const char c : line) {
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            opened = opened || c == '{';
        }
        result.push_back({number, line, file, sourceLine});
        if (opened && depth <= 0)
            break;
    }
    return result;
}

} // namespace warplight::labs::inspector
