// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace warplight::formats {

/// A tensor of f32 where it lies.
struct TensorView {
    std::string name;
    std::vector<int64_t> shape;
    std::span<const float> values;
};

/// Texts that a .safetensors file says about itself.
using Metadata = std::map<std::string, std::string>;

/// Writes tensors in their order, without copying them. The file appears whole or not at all, also when the program is
/// killed. Throws as AtomicFile does.
void writeSafetensors(const std::filesystem::path& file, const std::vector<TensorView>& tensors,
                      const Metadata& metadata = {});

/// The metadata of a file; empty where it has none. Throws InputError naming the file.
Metadata safetensorsMetadata(const std::filesystem::path& file);

} // namespace warplight::formats
