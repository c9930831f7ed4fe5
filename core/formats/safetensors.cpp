// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/safetensors.h"

#include "core/error.h"
#include "core/formats/decode.h"
#include "core/formats/npy.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

namespace warplight::formats {
namespace {

using nlohmann::json;

constexpr uint64_t longestHeader = 100'000'000; // the format's own limit

struct StoredType {
    std::optional<number::Format> dtype;
    int bits;
};
const std::map<std::string, StoredType, std::less<>> storedTypes{{"BOOL", {number::Format::Bool, 8}},
                                                                 {"U8", {number::Format::U8, 8}},
                                                                 {"I8", {number::Format::I8, 8}},
                                                                 {"I16", {number::Format::I16, 16}},
                                                                 {"U16", {number::Format::U16, 16}},
                                                                 {"F16", {number::Format::F16, 16}},
                                                                 {"BF16", {number::Format::BF16, 16}},
                                                                 {"I32", {number::Format::I32, 32}},
                                                                 {"U32", {number::Format::U32, 32}},
                                                                 {"F32", {number::Format::F32, 32}},
                                                                 {"F64", {number::Format::F64, 64}},
                                                                 {"I64", {number::Format::I64, 64}},
                                                                 {"U64", {number::Format::U64, 64}},
                                                                 {"C64", {{}, 64}},
                                                                 {"F8_E5M2", {number::Format::E5M2, 8}},
                                                                 {"F8_E4M3", {number::Format::E4M3, 8}},
                                                                 {"F8_E8M0", {{}, 8}},
                                                                 {"F8_E4M3FNUZ", {{}, 8}},
                                                                 {"F8_E5M2FNUZ", {{}, 8}},
                                                                 {"F4", {{}, 4}},
                                                                 {"F6_E2M3", {{}, 6}},
                                                                 {"F6_E3M2", {{}, 6}}};

const std::string& nameOf(number::Format dtype) {
    return std::find_if(storedTypes.begin(), storedTypes.end(), [&](const auto& t) { return t.second.dtype == dtype; })
        ->first;
}

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
    throw InputError(fmt::format("{}: {}", where, what));
}

/// Parses an object and refuses a key that comes twice at the top, which nlohmann's parser would overwrite silently.
json parseHeader(std::string_view text, const std::string& where) {
    std::set<std::string> seen;
    bool twice = false;
    const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::key && depth == 1)
            twice |= !seen.insert(parsed.get<std::string>()).second;
        return true;
    };
    json header = json::parse(text, watch, false);
    if (!header.is_object() || twice)
        refuse(where, twice ? "a tensor name comes twice in the header" : "the header is not a JSON object");
    return header;
}

SafetensorsEntry readEntry(const std::string& name, const json& item, uint64_t bufferBegin, const std::string& where) {
    const auto bad = [&](const char* what) { refuse(where, fmt::format("tensor '{}': {}", name, what)); };
    const auto natural = [](const json& x) {
        return x.is_number_unsigned() && x.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
    };
    if (!item.is_object() || !item.contains("dtype") || !item["dtype"].is_string() || !item.contains("shape") ||
        !item["shape"].is_array() || !item.contains("data_offsets") || !item["data_offsets"].is_array() ||
        item["data_offsets"].size() != 2)
        bad("expected dtype, shape and two data_offsets");
    SafetensorsEntry entry;
    entry.name = name;
    entry.dtypeName = item["dtype"].get<std::string>();
    const auto type = storedTypes.find(entry.dtypeName);
    if (type == storedTypes.end())
        bad("its dtype is not one of safetensors'");
    entry.dtype = type->second.dtype;
    for (const json& dimension : item["shape"]) {
        if (!natural(dimension))
            bad("shape holds something else than whole numbers of at least 0");
        entry.shape.push_back(dimension.get<int64_t>());
    }
    const json& offsets = item["data_offsets"];
    if (!natural(offsets[0]) || !natural(offsets[1]) || offsets[1].get<uint64_t>() < offsets[0].get<uint64_t>())
        bad("data_offsets are not two ascending whole numbers");
    int64_t bits = 0;
    if (__builtin_mul_overflow(tensor::elementCount(entry.shape), int64_t{type->second.bits}, &bits) || bits % 8 != 0 ||
        static_cast<uint64_t>(bits / 8) != offsets[1].get<uint64_t>() - offsets[0].get<uint64_t>())
        bad("data_offsets do not fit its shape and dtype");
    entry.begin = bufferBegin + offsets[0].get<uint64_t>();
    entry.end = bufferBegin + offsets[1].get<uint64_t>();
    return entry;
}

} // namespace

std::vector<SafetensorsEntry> readSafetensorsHeader(std::span<const std::byte> file, const std::string& where) {
    uint64_t length = 0;
    for (size_t i = 0; i < 8 && i < file.size(); ++i)
        length |= static_cast<uint64_t>(file[i]) << (8 * i);
    if (file.size() < 8 || length > longestHeader || length > file.size() - 8)
        refuse(where, "the header length does not fit the file, expected a .safetensors file");
    const json header = parseHeader({reinterpret_cast<const char*>(file.data()) + 8, length}, where);
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, item] : header.items())
        if (name != "__metadata__")
            entries.push_back(readEntry(name, item, 8 + length, where));
    std::vector<const SafetensorsEntry*> sorted;
    for (const auto& entry : entries)
        sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(),
              [](auto* a, auto* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
    uint64_t expected = 8 + length;
    for (const SafetensorsEntry* entry : sorted) {
        if (entry->begin != expected)
            refuse(where, fmt::format("tensor '{}' begins at byte {}, expected {}: a hole or an overlap", entry->name,
                                      entry->begin, expected));
        expected = entry->end;
    }
    if (expected != file.size())
        refuse(where, fmt::format("the file has {} bytes, expected {}", file.size(), expected));
    return entries;
}

const SafetensorsEntry& entryOf(const std::vector<SafetensorsEntry>& entries, const std::string& name,
                                const std::string& where) {
    const auto found =
        name.empty() && entries.size() == 1
            ? entries.begin()
            : std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.name == name; });
    if (found == entries.end()) {
        std::string names;
        for (const auto& entry : entries)
            names += (names.empty() ? "" : ", ") + entry.name;
        if (names.empty())
            refuse(where, "the file holds no tensor");
        refuse(where, name.empty() ? fmt::format("holds {} tensors, expected a name behind a colon, one of: {}",
                                                 entries.size(), names)
                                   : fmt::format("no tensor '{}', expected one of: {}", name, names));
    }
    if (!found->dtype)
        refuse(where, fmt::format("tensor '{}' is {}, expected F16, BF16, F32, F64, F8_E4M3, F8_E5M2, BOOL or an "
                                  "integer type",
                                  found->name, found->dtypeName));
    return *found;
}

tensor::Tensor readSafetensors(std::span<const std::byte> file, const std::string& name, const std::string& where,
                               const std::atomic<bool>* cancel) {
    const auto entries = readSafetensorsHeader(file, where);
    const SafetensorsEntry& found = entryOf(entries, name, where);
    return decodeElements(file.subspan(found.begin, found.end - found.begin), *found.dtype, false, false, found.shape,
                          fmt::format("{}, tensor '{}'", where, found.name), cancel);
}

std::string safetensorsBytes(const std::vector<NamedTensor>& tensors) {
    std::vector<const NamedTensor*> ordered;
    for (const NamedTensor& tensor : tensors)
        ordered.push_back(&tensor);
    std::sort(ordered.begin(), ordered.end(), [](const NamedTensor* a, const NamedTensor* b) {
        return std::pair(-number::bytes(a->dtype), std::string_view(a->name)) <
               std::pair(-number::bytes(b->dtype), std::string_view(b->name));
    });
    json header{{"__metadata__", {{"layout", "BHND"}, {"producer", "warplight"}}}};
    std::string data;
    for (const NamedTensor* item : ordered) {
        const size_t begin = data.size();
        data += elementBytes(item->tensor, item->dtype);
        header[item->name] = {
            {"dtype", nameOf(item->dtype)}, {"shape", item->tensor.shape}, {"data_offsets", {begin, data.size()}}};
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    std::string length(8, '\0');
    for (size_t i = 0; i < 8; ++i)
        length[i] = static_cast<char>(text.size() >> (8 * i));
    return length + text + data;
}

} // namespace warplight::formats
