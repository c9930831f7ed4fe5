// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/sharded.h"

#include "core/error.h"
#include "core/formats/mapped_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace warplight::formats {

std::map<std::string, std::string> parseShardIndex(std::string_view text, const std::string& where) {
    const auto refuse = [&](const std::string& what) { throw InputError(fmt::format("{}: {}", where, what)); };
    const auto index = nlohmann::json::parse(text, nullptr, false);
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
        refuse("expected a JSON object with a weight_map {tensor: file}");
    std::map<std::string, std::string> shards;
    for (const auto& [tensor, file] : index["weight_map"].items()) {
        if (!file.is_string())
            refuse(fmt::format("weight_map['{}'] is no text, expected the name of a file beside the index", tensor));
        const std::string name = file.get<std::string>();
        if (name.empty() || name.find('\0') != std::string::npos ||
            std::filesystem::path(name).filename().string() != name || name == "..")
            refuse(fmt::format("weight_map['{}'] is '{}', expected the name of a file beside the index", tensor, name));
        shards[tensor] = name;
    }
    return shards;
}

std::map<std::string, std::string> readShardIndex(const std::filesystem::path& index) {
    const MappedFile file(index.string());
    return parseShardIndex({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, index.string());
}

} // namespace warplight::formats
