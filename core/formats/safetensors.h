// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/tensor/tensor.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace warplight::formats {

/// One tensor of a .safetensors file. `dtype` is unset for types that are listed but not decoded (FNUZ, E8M0,
/// what is smaller than 8 bits, complex numbers).
struct SafetensorsEntry {
    std::string name, dtypeName;
    std::optional<number::Format> dtype;
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0; ///< in the whole file
};

/// Reads and validates the header: offsets cover the buffer without hole or overlap, sizes fit shapes and the file.
/// Throws InputError naming `where`, the tensor and what was expected.
std::vector<SafetensorsEntry> readSafetensorsHeader(std::span<const std::byte> file, const std::string& where);

/// The tensor of a name, of a type that is decoded; an empty name is right when there is only one. Throws InputError.
const SafetensorsEntry& entryOf(const std::vector<SafetensorsEntry>& entries, const std::string& name,
                                const std::string& where);

/// Reads one tensor by name; an empty name is right when there is only one.
/// Throws Cancelled.
tensor::Tensor readSafetensors(std::span<const std::byte> file, const std::string& name, const std::string& where,
                               const std::atomic<bool>* cancel = nullptr);

/// A tensor to be written, and the type it is stored as (F32, F16, BF16, F64, E4M3, E5M2).
struct NamedTensor {
    std::string name;
    tensor::Tensor tensor;
    number::Format dtype;
};

/// A whole file: tensors by descending size of their type, then by name, as the format's own library orders them.
std::string safetensorsBytes(const std::vector<NamedTensor>& tensors);

} // namespace warplight::formats
