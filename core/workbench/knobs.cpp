// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/knobs.h"

#include <fmt/format.h>
#include <utility>

namespace warplight::workbench {

Knob dimension(std::string id, std::string symbol, std::string axis, lab::Parameter single, lab::Parameter sweep,
               double probe) {
    Knob knob;
    knob.id = std::move(id);
    knob.symbol = std::move(symbol);
    knob.axis = std::move(axis);
    knob.single = std::move(single);
    knob.sweep = std::move(sweep);
    knob.probe = probe;
    return knob;
}

Knob dimension(std::string id, std::string symbol, std::string axis, lab::Parameter single, std::vector<int64_t> swept,
               double probe) {
    lab::Parameter sweep =
        lab::Parameter::sweep(fmt::format("{}Swept", id), single.title, std::move(swept), single.minimum.value(),
                              single.maximum.value(), fmt::format("{}, one a point.", single.title));
    return dimension(std::move(id), std::move(symbol), std::move(axis), std::move(single), std::move(sweep), probe);
}

Knob option(lab::Parameter single) {
    Knob knob;
    knob.id = knob.symbol = single.id;
    knob.single = std::move(single);
    return knob;
}

} // namespace warplight::workbench
