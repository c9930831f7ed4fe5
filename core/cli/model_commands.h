// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/command.h"

namespace warplight::cli {

/// `train`: trains a model on a text; a line of figures a step (json) or what was reached (text) on standard output,
/// progress on standard error. Whatever is wrong is said before the first step.
void addTrainCommand(Command app);
/// `generate`: prints the prompt and what the model makes of it, as valid UTF-8.
void addGenerateCommand(Command app);
/// `logits`: writes the logits [tokens, vocabulary] of a text or of tokens [length] or [batch, length].
void addLogitsCommand(Command app);

} // namespace warplight::cli
