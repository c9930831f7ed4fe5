// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/tensor/tensor.h"

#include <string>

namespace warplight::cli {

/// formats::loadTensor, for commands that compute in f32: standard error is told how many finite numbers of an f64
/// tensor are infinite there. Throws as that does.
tensor::Tensor loadInput(const std::string& spec);

} // namespace warplight::cli
