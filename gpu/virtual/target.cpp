// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/target.h"

#include "gpu/error.h"
#define WARPLIGHT_WITH_AVX512
#include "gpu/virtual/ops/targets.h"

#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hwy/targets.h>

namespace warplight::vgpu {
namespace {

int64_t available() {
    hwy::SetSupportedTargetsForTest(0);
    return hwy::SupportedTargets() & HWY_TARGETS;
}

} // namespace

std::vector<std::string> supportedTargets() {
    const int64_t chosen = hwy::SupportedTargets();
    std::vector<std::string> names;
    for (int64_t mask = available(); mask != 0; mask &= mask - 1) // lower bits are better targets
        names.emplace_back(hwy::TargetName(mask & -mask));
    hwy::SetSupportedTargetsForTest(chosen);
    return names;
}

void useTarget(std::string_view name) {
    int64_t chosen = 0;
    for (int64_t mask = available(); mask != 0; mask &= mask - 1)
        if (hwy::TargetName(mask & -mask) == name)
            chosen = available() & -(mask & -mask); // and the worse ones, for handlers that have no better
    if (!name.empty() && chosen == 0)
        throw InputError(fmt::format("instruction set '{}' is not available, expected one of {}", name,
                                     fmt::join(supportedTargets(), ", ")));
    hwy::SetSupportedTargetsForTest(chosen);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

} // namespace warplight::vgpu
