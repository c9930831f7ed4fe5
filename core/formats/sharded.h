// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace warplight::formats {

constexpr std::string_view shardIndexEnding = ".safetensors.index.json";

/// Which file beside the index holds which tensor: the `weight_map` of a sharded model, {tensor: file}.
/// Throws InputError naming `where` when it is no such index or a file would lie outside its folder.
std::map<std::string, std::string> parseShardIndex(std::string_view text, const std::string& where);
std::map<std::string, std::string> readShardIndex(const std::filesystem::path& index);

} // namespace warplight::formats
