// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/error.h"
#include "core/profiles/kernel_summary.h"
#include "core/profiles/open_profile.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::test {

inline profiles::Profile readText(std::string_view text) {
    profiles::TextSource source(text);
    return profiles::readProfile(source, {"memory", nullptr, {}});
}

/// The sentence that reading fails with; empty if it does not.
inline std::string refusalOf(std::string_view text) {
    try {
        readText(text);
    } catch (const InputError& error) {
        return error.what();
    }
    return {};
}

inline profiles::Profile readData(const std::string& name) {
    return profiles::openProfile(WARPLIGHT_TEST_DATA "/data/profiles/" + name);
}
inline std::string refusalOfData(const std::string& name) {
    try {
        readData(name);
    } catch (const InputError& error) {
        return error.what();
    }
    return {};
}

inline bool holds(std::string_view text, std::string_view words) { return text.find(words) != text.npos; }

inline bool warns(const profiles::Profile& profile, std::string_view words) {
    return std::any_of(profile.warnings.begin(), profile.warnings.end(),
                       [&](const std::string& warning) { return holds(warning, words); });
}

/// The summary of a kernel or copy by its name; one of no launches if there is none.
inline profiles::KernelSummary summaryOf(const profiles::Profile& profile, std::string_view name) {
    for (const auto& list : {profiles::summariseKernels(profile), profiles::summariseCopies(profile)})
        for (const profiles::KernelSummary& summary : list)
            if (profile.names[summary.name] == name)
                return summary;
    return {};
}

} // namespace warplight::test
