// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/parameter.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::ssm {

/// Settings of a signal: which, how many samples, noise, seed, a file, and what was drawn with the mouse.
std::vector<lab::Parameter> signalParameters();

struct Signal {
    std::vector<float> clean; ///< what is to be remembered
    std::vector<float> heard; ///< the same with noise: what the memories are told
    std::string name;         ///< "smooth noise", or the file's
};

/// Of settings that have signalParameters(). A file is taken up to `length` samples; a drawing is stretched to them.
/// Throws InputError.
Signal signalOf(const lab::Settings& settings, const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::labs::ssm
