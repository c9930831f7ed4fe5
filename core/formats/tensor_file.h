// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/formats/not_read.h"
#include "core/formats/safetensors.h"
#include "core/tensor/tensor.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::formats {

struct TensorEntry {
    std::string name;
    number::Format dtype;
    std::vector<int64_t> shape;
};

/// The tensors of a .npy, .npz, .safetensors or .safetensors.index.json file that can be loaded, and what lies beside
/// them. Only headers are read. Throws InputError naming the file.
std::vector<TensorEntry> listTensors(const std::string& file, std::vector<NotRead>* notRead = nullptr);

/// What loadTensor(spec) would load.
TensorEntry tensorEntry(const std::string& spec);

/// The tensor that a spec names, or all of a file's, each with the spec that loads it, and what lies beside them.
/// Throws InputError naming the file, and where it holds no tensor what it holds instead.
std::vector<std::pair<std::string, TensorEntry>> tensorsOf(const std::string& spec,
                                                           std::vector<NotRead>* notRead = nullptr);

/// Loads one tensor as f32. `spec` is a file, or file:name for one of several ("qkv.npz:q", "model.safetensors:h.0.k",
/// "model.safetensors.index.json:h.0.k" for a sharded model); a file of that whole name wins, so that colons in paths
/// work. Throws InputError naming the file, the field and what was expected, Cancelled.
tensor::Tensor loadTensor(const std::string& spec, const std::atomic<bool>* cancel = nullptr);

/// Calls `use` with the numbers of a tensor as f32, in the order in which they lie in the file, piece by piece: what is
/// held does not grow with the tensor. Throws as loadTensor does.
void streamTensor(const std::string& spec, const std::function<void(std::span<const float>)>& use,
                  const std::atomic<bool>* cancel = nullptr);

/// A piece of a tensor: f32 where that holds every number of the file's type, else f64.
using Numbers = std::variant<std::span<const float>, std::span<const double>>;

/// streamTensor with the numbers as the file has them, for counting: f64 is not rounded, and whole numbers are exact up
/// to 2^53.
void streamExactly(const std::string& spec, const std::function<void(const Numbers&)>& use,
                   const std::atomic<bool>* cancel = nullptr);

/// Writes tensors to *.npy, *.npz or *.safetensors, each under the name that `spec` gives after a colon (default
/// NamedTensor::name). Tensors of one file are written together; every file appears whole or not at all.
/// Throws InputError for an ending that cannot be written, or two tensors for one place.
struct OutputTensor {
    std::string spec;
    NamedTensor tensor;
};
void saveTensors(const std::vector<OutputTensor>& outputs);
/// Throws InputError where saveTensors would not write them, whatever they hold: for before a long run.
void checkOutputs(const std::vector<OutputTensor>& outputs);

} // namespace warplight::formats
