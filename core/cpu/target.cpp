// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/target.h"
#include "core/error.h"

#include <bit>
#include <cstdint>
#include <fmt/format.h>
#include <hwy/targets.h>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::cpu {
namespace {

constexpr int64_t compiledTargets = HWY_TARGETS;

int64_t restriction = 0;

int64_t available() { return hwy::SupportedTargets() & compiledTargets; }

} // namespace

std::vector<std::string> supportedTargets() {
    const int64_t chosen = restriction;
    hwy::SetSupportedTargetsForTest(0);
    std::vector<std::string> names;
    for (int64_t mask = available(); mask != 0; mask &= mask - 1) // lower bits are better targets
        names.emplace_back(hwy::TargetName(mask & -mask));
    hwy::SetSupportedTargetsForTest(chosen);
    return names;
}

void useTarget(std::string_view name) {
    hwy::SetSupportedTargetsForTest(0);
    restriction = 0;
    if (!name.empty()) {
        for (int64_t mask = available(); mask != 0; mask &= mask - 1)
            if (hwy::TargetName(mask & -mask) == name)
                restriction = mask & -mask;
        if (restriction == 0)
            throw InputError(fmt::format("instruction set '{}' is not available on this machine", name));
        hwy::SetSupportedTargetsForTest(restriction);
    }
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

} // namespace warplight::cpu
