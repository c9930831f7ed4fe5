// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/profiler_words.h"

#include "core/profiles/text.h"
#include "core/text/echo.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <utility>

namespace warplight::profiles {
namespace {

constexpr size_t mostSentences = 3, longestSentence = 400;

/// What stands behind one of these words at the beginning of a line.
std::optional<std::string_view> behind(std::string_view line, std::initializer_list<std::string_view> marks) {
    for (const std::string_view mark : marks)
        if (line.starts_with(mark))
            return trimmed(line.substr(mark.size()));
    return {};
}

bool has(std::string_view text, std::string_view words) { return text.find(words) != text.npos; }

/// What opens counters that a driver keeps closed, and other things that users can do.
std::string_view helpFor(std::string_view error) {
    if (has(error, "ERR_NVGPUCTRPERM") || has(error, "NVSOLN1000") || has(error, "does not have permission"))
        return "An administrator of the machine opens the counters with 'options nvidia "
               "NVreg_RestrictProfilingToAdminUsers=0' in a file of /etc/modprobe.d and a restart; or run ncu with "
               "CAP_SYS_ADMIN (sudo, or docker run --cap-add=SYS_ADMIN).";
    if (has(error, "driver resource was unavailable") || has(error, "ResourceUnavailable"))
        return "Only one profiler can hold the counters: stop ncu, nsys or DCGM (dcgmi profile --pause) first.";
    return {};
}

void keep(std::vector<std::string>& list, std::string sentence) {
    if (list.size() < mostSentences && std::find(list.begin(), list.end(), sentence) == list.end())
        list.push_back(std::move(sentence));
}

std::string sentenceOf(std::string_view words) {
    std::string sentence = shortened(asUtf8(words), longestSentence);
    if (!sentence.ends_with('.') && !sentence.ends_with('!'))
        sentence += '.';
    return sentence;
}

} // namespace

void ProfilerWords::hear(std::string_view line) {
    line = trimmed(line);
    for (const std::string_view mark : {"... SKIPPED:", "... ERROR:"}) // behind what it was about to do
        if (const size_t at = line.find(mark); at != line.npos)
            line = line.substr(at + 4);
    if (const auto error = behind(line, {"==ERROR==", "======== Error:", "ERROR:", "Error:"});
        error && !error->empty()) {
        std::string sentence = "The profiler says: " + sentenceOf(*error);
        if (const std::string_view help = helpFor(*error); !help.empty())
            sentence.append(" ").append(help);
        keep(said, std::move(sentence));
    } else if (const auto warning = behind(line, {"==WARNING==", "SKIPPED:"}); warning && !warning->empty()) {
        if (!line.starts_with("SKIPPED:") || has(*warning, "CUDA")) // nsys names each subject that was not recorded
            keep(skipped, "The profiler says: " + sentenceOf(*warning));
    }
}

} // namespace warplight::profiles
