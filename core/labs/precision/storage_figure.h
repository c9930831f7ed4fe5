// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"

#include <cstdint>
#include <span>
#include <string>

namespace warplight::labs::precision {

/// What formats keep of a tensor, with scales for more and fewer numbers, against what they take. `numbers`: its
/// beginning, of `whole` numbers in rows of `rowLength`. Nothing where there are none. Throws Cancelled.
void putStorageCosts(lab::Run& run, const std::string& tensor, std::span<const float> numbers, int64_t rowLength,
                     int64_t whole);

} // namespace warplight::labs::precision
