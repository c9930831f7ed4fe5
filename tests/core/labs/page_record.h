// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/error.h"
#include "core/labs/all_labs.h"
#include "tests/core/lab/run_page.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>

/// For tests of pages: a run, and what is looked for in it.
namespace warplight::test {

using Given = std::map<std::string, lab::Value>;

inline lab::RunRecord record(const char* page, const Given& given, const std::string& device = "cpu") {
    lab::Registry registry;
    workbench::Operators operators;
    labs::registerAll(registry, operators);
    return test::runPage(registry.find(page), given, device);
}

inline double metric(const lab::RunRecord& run, const char* id) { return content<lab::Metric>(run, id).value.value(); }

inline const lab::Curve& curve(const lab::RunRecord& run, const char* figure, std::string_view id) {
    const auto& curves = content<lab::Series>(run, figure).curves;
    const auto found = std::find_if(curves.begin(), curves.end(), [&](const lab::Curve& c) { return c.id == id; });
    if (found == curves.end())
        throw InputError("no curve " + std::string(id));
    return *found;
}

inline bool near(double x, double y, double tolerance) { return std::fabs(x - y) <= tolerance; }

} // namespace warplight::test
