// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/headline.h"

#include <optional>
#include <string>
#include <utility>

namespace warplight::lab {

void putHeadline(Run& run, std::string id, std::optional<double> value, std::string unit, std::string format,
                 const std::string& caption, Provenance provenance) {
    run.put({std::move(id), caption, "", "", Figure::Place::Headline,
             Metric{value, std::move(unit), std::move(format), caption, {}, {}, provenance, {}}});
}

} // namespace warplight::lab
