// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace warplight::workbench {

/// A user's inputs as a problem: by the operator's own arrangement, or by the names of the extents, where leading
/// dimensions that a tensor lacks are 1. `origin` names each tensor for messages. Throws InputError naming the tensor,
/// its shape and what was expected.
Arranged arrange(const Operator& op, Tensors& given, const std::map<std::string, std::string>& origin,
                 const std::string& layout);

/// Refuses a tensor for its shape, with what was expected instead.
[[noreturn]] void refuseShape(const std::map<std::string, std::string>& origin, const std::string& name,
                              const std::vector<int64_t>& shape, const std::string& expected);

} // namespace warplight::workbench
