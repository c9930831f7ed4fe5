// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/model/model.h"

#include <memory>

namespace warplight::model {

/// The small GPT-2 that comes with the program: the preset `tiny`, trained on the program's own documents byte by byte.
/// docs/model.md has the command that made it.
std::unique_ptr<Model> exampleModel();

} // namespace warplight::model
