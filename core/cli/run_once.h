// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <exception>

namespace warplight::cli {

/// Runs an experiment from runStarted to runEnded: whatever it throws becomes how the run ended. `sink` gets these two
/// frames; the others come through the run's own sink. Returns what it threw; null when it finished or was cancelled.
std::exception_ptr runOnce(lab::Experiment& experiment, const lab::Settings& settings, lab::Run& run,
                           const lab::Run::Sink& sink);

} // namespace warplight::cli
