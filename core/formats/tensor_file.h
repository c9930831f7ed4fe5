#pragma once

#include "core/tensor/tensor.h"

#include <string>
#include <vector>

namespace warplight::formats {

struct TensorEntry {
    std::string name;
    tensor::DType dtype;
    std::vector<int64_t> shape;
};

/// The tensors of a .npy, .npz or .safetensors file that can be loaded. Throws InputError naming the file.
std::vector<TensorEntry> listTensors(const std::string& file);

/// What loadTensor(spec) would load.
TensorEntry tensorEntry(const std::string& spec);

/// Loads one tensor as f32. `spec` is a file, or file:name for one of several ("qkv.npz:q", "model.safetensors:h.0.k");
/// a file of that whole name wins, so that colons in paths work. Throws InputError naming the file, the field and what
/// was expected.
tensor::Tensor loadTensor(const std::string& spec);

/// Writes one tensor as `dtype` to *.npy or *.safetensors (":name" chooses the name, default "o").
void saveTensor(const std::string& spec, const tensor::Tensor& tensor, tensor::DType dtype);

} // namespace warplight::formats
