// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/parameter.h"
#include "core/workbench/operator.h"

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::workbench {

/// A number of the problem that an axis may be: its setting where it is not the axis, and where it is.
/// `probe`: Knob::probe.
Knob dimension(std::string id, std::string symbol, std::string axis, lab::Parameter single, lab::Parameter sweep,
               double probe = 0);

/// The same, swept over `swept` within the bounds of the single setting, as "<id>Swept".
Knob dimension(std::string id, std::string symbol, std::string axis, lab::Parameter single, std::vector<int64_t> swept,
               double probe = 0);

/// What no axis can be: a flag, a choice, a number. Its id is the setting's.
Knob option(lab::Parameter single);

/// Options of a choice, from a table whose rows have a name, a title and what they improve.
template <class Infos>
std::vector<lab::Parameter::Option> optionsOf(const Infos& infos) {
    std::vector<lab::Parameter::Option> options;
    for (const auto& info : infos)
        options.push_back({std::string(info.name), std::string(info.title), std::string(info.improves)});
    return options;
}

} // namespace warplight::workbench
