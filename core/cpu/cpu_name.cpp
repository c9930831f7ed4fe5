// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/cpu_name.h"

#include <array>
#include <cstddef>
#include <regex>
#include <string>
#include <utility>

namespace warplight::cpu {

std::string plainCpuName(const std::string& name) {
    static const auto rule = [](const char* what, const char* by) {
        return std::pair(std::regex(what, std::regex::ECMAScript | std::regex::icase), by);
    };
    static const std::array rules{rule(R"(\((?:R|TM)\)(?![A-Z0-9]))", ""),
                                  rule(R"(\((?:R|TM)\))", " "), // "Core(TM)2"
                                  rule(R"(\s+)", " "),
                                  rule(R"(^(?:Genuine |\d+(?:st|nd|rd|th) Gen ))", ""),
                                  rule(R"( @ .*$| (?:with|w/) .*Graphics$| \S+-Cores?\b.*$)", ""),
                                  rule(R"( CPU\b| Processor$)", "")};
    std::string plain = name;
    for (const auto& [what, by] : rules)
        plain = std::regex_replace(plain, what, by);
    const size_t begin = plain.find_first_not_of(' '), end = plain.find_last_not_of(' ');
    return begin == std::string::npos ? name : plain.substr(begin, end - begin + 1);
}

} // namespace warplight::cpu
