// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace warplight::cpu {

/// A processor's name as people say it, without trade marks, clock, generation and what the number of cores says
/// already: "Intel(R) Core(TM) i7-10700K CPU @ 3.80GHz" is "Intel Core i7-10700K". `name` itself where nothing is left.
std::string plainCpuName(const std::string& name);

} // namespace warplight::cpu
