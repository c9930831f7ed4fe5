// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/labs/attention/map_inputs.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::attention {

/// One head of a GPT-2 that reads a text.
struct ModelHead {
    std::string model; ///< any file in its folder, or the folder; empty: the one that comes with the program
    std::string text;
    int64_t layer = 0, head = 0;
};

struct ModelInputs {
    MapInputs inputs;                ///< Q and K of every token
    std::vector<std::string> tokens; ///< as they are to be read: blanks and line ends as signs
    int64_t leftOut = 0;             ///< tokens behind those that the model's context takes
};

/// Reads the text as far as the model's context goes, up to the head's layer. Throws InputError for a folder that is no
/// GPT-2, a layer or head that it does not have, a text without tokens; Cancelled.
ModelInputs readByModel(const ModelHead& which, const std::atomic<bool>* cancel);

/// Of reading it, about; 0 where the folder cannot be read, which readByModel says.
double secondsToRead(const ModelHead& which);

} // namespace warplight::labs::attention
