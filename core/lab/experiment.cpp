// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/experiment.h"

#include <map>
#include <string>
#include <vector>

namespace warplight::lab {

Description::Description() = default;
Description::Description(const Description&) = default;
Description::Description(Description&&) noexcept = default;
Description& Description::operator=(const Description&) = default;
Description& Description::operator=(Description&&) noexcept = default;
Description::~Description() = default;

std::vector<Parameter> Experiment::parameters(const std::map<std::string, Value>& /*given*/) const {
    return describe().parameters;
}

} // namespace warplight::lab
