// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/parameter.h"
#include "gpu/number/format.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::labs::precision {

/// What is added up, as it is stored: the numbers of a, or with b (as long) the products a·b.
struct SumInputs {
    std::vector<float> a, b;
};

/// "f16", "bf16", and of all others f32.
number::Format formatNamed(const std::string& id);

/// "ones", "uniform", … and "file"; which of them need a seed.
std::vector<lab::Parameter::Option> sumInputKinds();
std::vector<std::string> seededSumInputs();

/// By the settings what, input, file, format, length and seed. Of a file the first numbers; its dot product is with
/// itself. Throws InputError for a file that cannot be used and for numbers that the format does not hold, Cancelled.
SumInputs makeSumInputs(const lab::Settings& settings, const std::atomic<bool>* cancel);

} // namespace warplight::labs::precision
