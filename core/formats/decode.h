// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/tensor/tensor.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace warplight::formats {

/// Raw elements as f32. `raw` must hold product(shape) elements of the type exactly; throws InputError naming `where`
/// otherwise, and when there is not enough memory; Cancelled. Fortran order means the first axis is the fastest: the
/// result is row-major all the same.
tensor::Tensor decodeElements(std::span<const std::byte> raw, number::Format dtype, bool bigEndian, bool fortranOrder,
                              std::vector<int64_t> shape, const std::string& where,
                              const std::atomic<bool>* cancel = nullptr);

/// Whether f32 holds every number of a type.
bool fitsF32(number::Format dtype);

/// Raw elements as f64, in the order in which they lie: nothing of any float is lost, and of a whole number only what
/// is beyond 2^53. Throws as decodeElements does.
std::vector<double> decodeWide(std::span<const std::byte> raw, number::Format dtype, bool bigEndian,
                               const std::string& where, const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::formats
