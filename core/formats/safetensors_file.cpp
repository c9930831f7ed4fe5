// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/safetensors_file.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/formats/mapped_file.h"
#include "core/formats/safetensors.h"

#include <bit>
#include <cstddef>
#include <cstring>
#include <fmt/format.h>
#include <ios>
#include <nlohmann/json.hpp>

namespace warplight::formats {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little); // numbers are written as they lie

void writeSafetensors(const std::filesystem::path& file, const std::vector<TensorView>& tensors,
                      const Metadata& metadata) {
    json header = json::object();
    if (!metadata.empty())
        header["__metadata__"] = metadata;
    size_t end = 0;
    for (const TensorView& tensor : tensors) {
        const size_t begin = end;
        end += tensor.values.size_bytes();
        header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    const uint64_t length = text.size();
    AtomicFile out(file);
    out.stream().write(reinterpret_cast<const char*>(&length), sizeof length);
    out.stream() << text;
    for (const TensorView& tensor : tensors)
        out.stream().write(reinterpret_cast<const char*>(tensor.values.data()),
                           static_cast<std::streamsize>(tensor.values.size_bytes()));
    out.commit();
}

Metadata safetensorsMetadata(const std::filesystem::path& file) {
    const MappedFile mapped(file.string());
    const auto bytes = mapped.bytes();
    readSafetensorsHeader(bytes, file.string()); // refuses what is none
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    const json header = json::parse(reinterpret_cast<const char*>(bytes.data()) + sizeof length,
                                    reinterpret_cast<const char*>(bytes.data()) + sizeof length + length);
    Metadata metadata;
    if (const auto found = header.find("__metadata__"); found != header.end() && found->is_object())
        for (const auto& [key, value] : found->items())
            if (value.is_string())
                metadata[key] = value.get<std::string>();
    return metadata;
}

} // namespace warplight::formats
