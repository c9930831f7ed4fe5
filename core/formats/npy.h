// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/tensor/tensor.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace warplight::formats {

/// What the header of a .npy says.
struct NpyHeader {
    number::Format dtype = number::Format::F32;
    bool bigEndian = false, fortranOrder = false;
    std::vector<int64_t> shape;
    size_t dataBegin = 0; ///< offset of the first element
};

/// Reads the header (versions 1 to 3). Throws InputError naming `where`, the field and what was expected: UnreadType
/// where all but the type is right.
NpyHeader readNpyHeader(std::span<const std::byte> file, const std::string& where);
/// Reads a whole .npy held in memory; pickled objects and records are refused. Throws Cancelled.
tensor::Tensor readNpy(std::span<const std::byte> file, const std::string& where,
                       const std::atomic<bool>* cancel = nullptr);

/// Writes version 1, C order, little endian, data at a multiple of 64; `dtype` is F32, F16, F64 or BF16 (as `<V2`).
void writeNpy(const std::filesystem::path& file, const tensor::Tensor& tensor, number::Format dtype);
/// What stands before the numbers. Throws InputError for e4m3 and e5m2, which .npy has no names for.
std::string npyStart(const std::vector<int64_t>& shape, number::Format dtype);
std::string npyBytes(const tensor::Tensor& tensor, number::Format dtype);

/// An array as it lies in memory: little endian, C order, in its own element type.
struct RawArray {
    number::Format dtype = number::Format::F32;
    std::vector<int64_t> shape;
    std::vector<std::byte> bytes;
};

/// Reads and writes a .npy without changing its numbers. Throws InputError naming the file, the field and what was
/// expected; big endian and Fortran order are refused.
RawArray readRawNpy(const std::string& file, const std::atomic<bool>* cancel = nullptr);
void writeRawNpy(const std::string& file, const RawArray& array);

/// Elements as they lie in a file, little endian. `dtype` as for writeNpy, or E4M3 or E5M2.
std::string elementBytes(const tensor::Tensor& tensor, number::Format dtype);

} // namespace warplight::formats
