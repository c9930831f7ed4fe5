// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"

#include <optional>
#include <string>
#include <utility>

namespace warplight::labs::allreduce {

/// A number on top of a page. The caption says what it is, in words.
inline void putHeadline(lab::Run& run, const char* id, const char* title, std::optional<double> value, const char* unit,
                        std::string caption, lab::Provenance provenance) {
    lab::Metric metric;
    metric.value = value;
    metric.unit = std::string(unit);
    metric.caption = std::move(caption);
    metric.provenance = provenance;
    run.put({id, title, "", "", lab::Figure::Place::Headline, std::move(metric)});
}

} // namespace warplight::labs::allreduce
