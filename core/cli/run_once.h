#pragma once

#include "core/lab/experiment.h"

namespace warplight::cli {

/// Runs an experiment from runStarted to runEnded: whatever it throws becomes how the run ended. `sink` gets these two
/// frames; the others come through the run's own sink. Returns how it ended.
lab::RunEnded runOnce(lab::Experiment& experiment, const lab::Settings& settings, lab::Run& run,
                      const lab::Run::Sink& sink);

} // namespace warplight::cli
