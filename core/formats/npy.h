#pragma once

#include "core/tensor/tensor.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace warplight::formats {

/// What the header of a .npy says.
struct NpyHeader {
    tensor::DType dtype = tensor::DType::F32;
    bool bigEndian = false, fortranOrder = false;
    std::vector<int64_t> shape;
    size_t dataBegin = 0; ///< offset of the first element
};

/// Reads the header (versions 1 to 3). Throws InputError naming `where`, the field and what was expected.
NpyHeader readNpyHeader(std::span<const std::byte> file, const std::string& where);
/// Reads a whole .npy held in memory; pickled objects and records are refused.
tensor::Tensor readNpy(std::span<const std::byte> file, const std::string& where);

/// Writes version 1, C order, little endian, data at a multiple of 64; `dtype` is F32, F16, F64 or BF16 (as `<V2`).
void writeNpy(const std::filesystem::path& file, const tensor::Tensor& tensor, tensor::DType dtype);
std::string npyBytes(const tensor::Tensor& tensor, tensor::DType dtype);

/// Elements as they lie in a file, little endian. `dtype` as for writeNpy.
std::string elementBytes(const tensor::Tensor& tensor, tensor::DType dtype);

} // namespace warplight::formats
