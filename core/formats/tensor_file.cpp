#include "core/formats/tensor_file.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/formats/mapped_file.h"
#include "core/formats/npy.h"
#include "core/formats/npz.h"
#include "core/formats/safetensors.h"

#include <filesystem>
#include <fmt/format.h>

namespace warplight::formats {
namespace {

struct Spec {
    std::string file, name;
};

/// Splits file:name at the last colon behind a known ending, unless a file of the whole name exists.
Spec split(const std::string& spec) {
    std::error_code ignored;
    const size_t colon = spec.rfind(':');
    if (colon == std::string::npos || std::filesystem::exists(spec, ignored))
        return {spec, ""};
    for (const char* ending : {".npz:", ".safetensors:", ".npy:"})
        if (const size_t at = spec.find(ending); at != std::string::npos) {
            const size_t end = at + std::string_view(ending).size();
            return {spec.substr(0, end - 1), spec.substr(end)};
        }
    return {spec, ""};
}

bool endsWith(const std::string& file, std::string_view ending) { return std::string_view(file).ends_with(ending); }

[[noreturn]] void unknownEnding(const std::string& file) {
    throw InputError(fmt::format("{}: expected a file that ends in .npy, .npz or .safetensors", file));
}

} // namespace

std::vector<TensorEntry> listTensors(const std::string& file) {
    std::vector<TensorEntry> entries;
    if (endsWith(file, ".npz")) {
        for (const std::string& name : npzNames(file)) {
            const auto bytes = readNpzMember(file, name);
            const NpyHeader header = readNpyHeader(bytes, file + ":" + name);
            entries.push_back({name, header.dtype, header.shape});
        }
        return entries;
    }
    const MappedFile mapped(file);
    if (endsWith(file, ".npy")) {
        const NpyHeader header = readNpyHeader(mapped.bytes(), file);
        return {{"", header.dtype, header.shape}};
    }
    if (!endsWith(file, ".safetensors"))
        unknownEnding(file);
    for (const auto& entry : readSafetensorsHeader(mapped.bytes(), file))
        if (entry.dtype)
            entries.push_back({entry.name, *entry.dtype, entry.shape});
    return entries;
}

TensorEntry tensorEntry(const std::string& spec) {
    const auto [file, name] = split(spec);
    const auto entries = listTensors(file);
    if (name.empty() && entries.size() == 1)
        return entries.front();
    for (const TensorEntry& entry : entries)
        if (entry.name == name)
            return entry;
    throw InputError(fmt::format("{}: no tensor '{}' that can be read", file, name));
}

tensor::Tensor loadTensor(const std::string& spec) {
    const auto [file, name] = split(spec);
    if (endsWith(file, ".npz"))
        return readNpy(readNpzMember(file, name), spec);
    if (!endsWith(file, ".npy") && !endsWith(file, ".safetensors"))
        unknownEnding(file);
    const MappedFile mapped(file);
    return endsWith(file, ".npy") ? readNpy(mapped.bytes(), file) : readSafetensors(mapped.bytes(), name, file);
}

void saveTensor(const std::string& spec, const tensor::Tensor& tensor, tensor::DType dtype) {
    const auto [file, name] = split(spec);
    if (endsWith(file, ".npy"))
        return writeNpy(file, tensor, dtype);
    if (!endsWith(file, ".safetensors"))
        throw InputError(fmt::format("{}: expected a file to write that ends in .npy or .safetensors", file));
    const std::string bytes = safetensorsBytes({{name.empty() ? "o" : name, tensor}}, dtype);
    AtomicFile out(file);
    out.stream().write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.commit();
}

} // namespace warplight::formats
