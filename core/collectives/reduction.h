// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/tensor/tensor.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace warplight::collectives {

/// How elements are combined. Average is a sum that every rank divides by the rank count in the end.
enum class Reduction { Sum, Max, Average };

/// "f32", "f64", "f16", "bf16": what can be combined. Throws InputError naming these for anything else.
number::Format elementType(std::string_view name);
Reduction reductionOf(std::string_view name); ///< "sum", "max", "average"; throws InputError

/// into[i] = into[i] combined with from[i], each result rounded to the type: nearest, ties to even; a maximum with NaN
/// is NaN.
void combine(number::Format type, Reduction reduction, void* into, const void* from, int64_t elements);

/// values[i] = values[i] / divisor, rounded to the type.
void divide(number::Format type, void* values, int64_t elements, double divisor);

} // namespace warplight::collectives
