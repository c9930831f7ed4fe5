// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"

#include <optional>
#include <string>

namespace warplight::lab {

/// A number above a page's figures, called by its caption; no value: it is not known.
void putHeadline(Run& run, std::string id, std::optional<double> value, std::string unit, std::string format,
                 const std::string& caption, Provenance provenance = Provenance::Counted);

} // namespace warplight::lab
