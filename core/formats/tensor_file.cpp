// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/tensor_file.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/formats/decode.h"
#include "core/formats/foreign_file.h"
#include "core/formats/mapped_file.h"
#include "core/formats/npy.h"
#include "core/formats/npz.h"
#include "core/formats/safetensors.h"
#include "core/formats/sharded.h"
#include "core/tensor/pieces.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fmt/format.h>
#include <ios>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

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
    for (const char* ending : {".npz:", ".safetensors:", ".safetensors.index.json:", ".npy:"})
        if (const size_t at = spec.find(ending); at != std::string::npos) {
            const size_t end = at + std::string_view(ending).size();
            return {spec.substr(0, end - 1), spec.substr(end)};
        }
    return {spec, ""};
}

bool endsWith(const std::string& file, std::string_view ending) { return std::string_view(file).ends_with(ending); }

bool isTensorFile(const std::string& file) {
    return endsWith(file, ".npy") || endsWith(file, ".npz") || endsWith(file, ".safetensors") ||
           endsWith(file, shardIndexEnding);
}

[[noreturn]] void unknownEnding(const std::string& file) {
    throw InputError(
        fmt::format("{}: expected a file that ends in .npy, .npz, .safetensors or .safetensors.index.json", file));
}

/// What a file holds.
struct Contents {
    std::vector<TensorEntry> tensors;
    std::vector<NotRead> notRead;

    void add(SafetensorsEntry entry) {
        if (entry.dtype)
            tensors.push_back({std::move(entry.name), *entry.dtype, std::move(entry.shape)});
        else
            notRead.push_back({std::move(entry.name), std::move(entry.dtypeName)});
    }
};

TensorEntry npzEntry(const std::string& file, const std::string& name) {
    const NpyHeader header = readNpyHeader(readNpzHeader(file, name), file + ":" + name);
    return {name, header.dtype, header.shape};
}

std::string beside(const std::string& index, const std::string& shard) {
    return (std::filesystem::path(index).parent_path() / shard).string();
}

Contents ofNpz(const std::string& file) {
    Contents found;
    for (const std::string& name : npzNames(file))
        try {
            found.tensors.push_back(npzEntry(file, name));
        } catch (const UnreadType& other) { // nobody asked for it: it is named, and no error
            found.notRead.push_back({name, other.meaning});
        } catch (const InputError&) {
            found.notRead.push_back({name, "damaged, or packed in a way that is not read"});
        }
    for (const std::string& name : npzOthers(file))
        found.notRead.push_back({name, "not a .npy"});
    return found;
}

/// The tensors of all shards that the index names, in the index's order of files.
Contents ofShards(const std::string& index) {
    const auto shards = readShardIndex(index);
    std::set<std::string> files;
    for (const auto& [name, file] : shards)
        files.insert(file);
    Contents found;
    for (const std::string& file : files) {
        refuseForeign(beside(index, file));
        const MappedFile mapped(beside(index, file));
        for (SafetensorsEntry& entry : readSafetensorsHeader(mapped.bytes(), beside(index, file)))
            if (const auto named = shards.find(entry.name); named != shards.end() && named->second == file)
                found.add(std::move(entry));
    }
    return found;
}

/// The file beside an index that holds a tensor.
std::string shardOf(const std::string& index, const std::string& name) {
    const auto shards = readShardIndex(index);
    const auto found = shards.find(name);
    if (found == shards.end())
        throw InputError(fmt::format("{}: weight_map has no tensor '{}'", index, name));
    std::string file = beside(index, found->second);
    refuseForeign(file);
    return file;
}

Contents contentsOf(const std::string& file) {
    if (isTensorFile(file))
        refuseForeign(file);
    if (endsWith(file, ".npz"))
        return ofNpz(file);
    if (endsWith(file, shardIndexEnding))
        return ofShards(file);
    const MappedFile mapped(file);
    Contents found;
    if (endsWith(file, ".npy")) {
        const NpyHeader header = readNpyHeader(mapped.bytes(), file);
        found.tensors.push_back({"", header.dtype, header.shape});
        return found;
    }
    if (!endsWith(file, ".safetensors"))
        unknownEnding(file);
    for (SafetensorsEntry& entry : readSafetensorsHeader(mapped.bytes(), file))
        found.add(std::move(entry));
    return found;
}

/// The contents of a file that must hold a tensor.
Contents tensorsIn(const std::string& file) {
    Contents found = contentsOf(file);
    constexpr size_t most = 5; // a sentence has room for
    if (found.tensors.empty())
        throw InputError(fmt::format("{}: holds no tensor of numbers that can be read{}{}", file,
                                     found.notRead.empty() ? "" : ": ", listed(found.notRead, most)));
    return found;
}

/// The one array of a .npz that can be read, where a spec names none; empty when there are several.
std::string onlyReadable(const std::string& file) {
    const auto entries = tensorsIn(file).tensors;
    return entries.size() == 1 ? entries.front().name : "";
}

} // namespace

std::vector<TensorEntry> listTensors(const std::string& file, std::vector<NotRead>* notRead) {
    Contents found = contentsOf(file);
    if (notRead)
        *notRead = std::move(found.notRead);
    return std::move(found.tensors);
}

TensorEntry tensorEntry(const std::string& spec) {
    const auto [file, name] = split(spec);
    if (endsWith(file, ".npz") && !name.empty()) {
        refuseForeign(file);
        return npzEntry(file, name);
    }
    const auto [entries, others] = tensorsIn(file);
    if (name.empty() && entries.size() == 1)
        return entries.front();
    for (const TensorEntry& entry : entries)
        if (entry.name == name)
            return entry;
    for (const NotRead& other : others)
        if (other.name == name)
            throw InputError(fmt::format("{}: '{}' is {}, expected numbers that can be read", file, name, other.what));
    throw InputError(fmt::format("{}: no tensor '{}' that can be read", file, name));
}

std::vector<std::pair<std::string, TensorEntry>> tensorsOf(const std::string& spec, std::vector<NotRead>* notRead) {
    const auto [file, name] = split(spec);
    if (!name.empty())
        return {{spec, tensorEntry(spec)}};
    std::vector<std::pair<std::string, TensorEntry>> all;
    auto [entries, others] = tensorsIn(file);
    if (notRead)
        *notRead = std::move(others);
    for (TensorEntry& entry : entries) {
        std::string own = entry.name.empty() ? file : file + ":" + entry.name;
        all.emplace_back(std::move(own), std::move(entry));
    }
    return all;
}

tensor::Tensor loadTensor(const std::string& spec, const std::atomic<bool>* cancel) {
    const auto [file, name] = split(spec);
    if (isTensorFile(file))
        refuseForeign(file);
    if (endsWith(file, ".npz"))
        return readNpy(readNpzMember(file, name.empty() ? onlyReadable(file) : name, cancel), spec, cancel);
    if (endsWith(file, shardIndexEnding)) {
        const std::string shard = shardOf(file, name);
        return readSafetensors(MappedFile(shard).bytes(), name, shard, cancel);
    }
    if (!endsWith(file, ".npy") && !endsWith(file, ".safetensors"))
        unknownEnding(file);
    const MappedFile mapped(file);
    return endsWith(file, ".npy") ? readNpy(mapped.bytes(), file, cancel)
                                  : readSafetensors(mapped.bytes(), name, file, cancel);
}

namespace {

/// Who takes the numbers of a tensor, and how.
struct Taker {
    bool exactly; ///< f64 too, where f32 does not do
    const std::function<void(const Numbers&)>& use;
    const std::atomic<bool>* cancel;
};

/// Numbers as they lie in a file, of one type.
class Decoder {
  public:
    Decoder(number::Format t, bool big, std::string w, const Taker& to)
        : type(t), bigEndian(big), where(std::move(w)), taker(to) {}

    /// Whole numbers go on at once; what is left of one waits for the rest.
    void feed(std::span<const std::byte> bytes) {
        const auto size = static_cast<size_t>(number::bytes(type));
        while (!bytes.empty()) {
            if (!left.empty() || bytes.size() < size) {
                const size_t taken = std::min(size - left.size(), bytes.size());
                left.insert(left.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
                bytes = bytes.subspan(taken);
                if (left.size() == size) {
                    decode(left);
                    left.clear();
                }
                continue;
            }
            const size_t whole = std::min(bytes.size() / size * size, pieceBytes);
            decode(bytes.first(whole));
            bytes = bytes.subspan(whole);
        }
    }
    int64_t count() const { return done; }

  private:
    void decode(std::span<const std::byte> bytes) {
        const auto count = static_cast<int64_t>(bytes.size()) / number::bytes(type);
        if (taker.exactly && !fitsF32(type))
            taker.use(decodeWide(bytes, type, bigEndian, where, taker.cancel));
        else
            taker.use(decodeElements(bytes, type, bigEndian, false, {count}, where, taker.cancel).values);
        done += count;
    }

    number::Format type;
    bool bigEndian;
    std::string where;
    const Taker& taker;
    std::vector<std::byte> left;
    int64_t done = 0;
};

void requireCount(int64_t count, const std::vector<int64_t>& shape, const std::string& where) {
    if (const int64_t expected = tensor::elementCount(shape); count != expected)
        throw InputError(fmt::format("{}: {} numbers of data for shape {}, expected {}", where, count,
                                     tensor::shapeText(shape), expected));
}

void stream(const std::string& spec, const Taker& taker) {
    auto [file, name] = split(spec);
    if (isTensorFile(file))
        refuseForeign(file);
    if (endsWith(file, ".npz")) {
        if (name.empty())
            name = onlyReadable(file);
        const NpyHeader header = readNpyHeader(readNpzHeader(file, name), spec);
        Decoder numbers(header.dtype, header.bigEndian, spec, taker);
        size_t before = header.dataBegin;
        streamNpzMember(
            file, name,
            [&](std::span<const std::byte> bytes) {
                const size_t skipped = std::min(before, bytes.size());
                before -= skipped;
                numbers.feed(bytes.subspan(skipped));
            },
            taker.cancel);
        requireCount(numbers.count(), header.shape, spec);
        return;
    }
    if (endsWith(file, shardIndexEnding))
        file = shardOf(file, name);
    else if (!endsWith(file, ".npy") && !endsWith(file, ".safetensors"))
        unknownEnding(file);
    const MappedFile mapped(file);
    if (endsWith(file, ".npy")) {
        const NpyHeader header = readNpyHeader(mapped.bytes(), file);
        Decoder numbers(header.dtype, header.bigEndian, file, taker);
        numbers.feed(mapped.bytes().subspan(header.dataBegin));
        requireCount(numbers.count(), header.shape, file);
        return;
    }
    const auto entries = readSafetensorsHeader(mapped.bytes(), file);
    const SafetensorsEntry& entry = entryOf(entries, name, file);
    Decoder numbers(*entry.dtype, false, fmt::format("{}, tensor '{}'", file, entry.name), taker);
    numbers.feed(mapped.bytes().subspan(entry.begin, entry.end - entry.begin));
}

} // namespace

void streamTensor(const std::string& spec, const std::function<void(std::span<const float>)>& use,
                  const std::atomic<bool>* cancel) {
    stream(spec, {false, [&](const Numbers& numbers) { use(std::get<std::span<const float>>(numbers)); }, cancel});
}

void streamExactly(const std::string& spec, const std::function<void(const Numbers&)>& use,
                   const std::atomic<bool>* cancel) {
    stream(spec, {true, use, cancel});
}

namespace {

struct TensorsOfFile {
    std::string file; ///< as it was named first
    std::vector<NamedTensor> tensors;
};

/// What goes into which file. Files are told apart by where they are, not by how they are written.
std::map<std::string, TensorsOfFile> byFile(const std::vector<OutputTensor>& outputs) {
    std::map<std::string, TensorsOfFile> files;
    for (const OutputTensor& output : outputs) {
        const auto [file, name] = split(output.spec);
        if (!endsWith(file, ".npy") && !endsWith(file, ".npz") && !endsWith(file, ".safetensors"))
            throw InputError(fmt::format("{}: expected a file to write that ends in .npy, .npz or .safetensors", file));
        const auto place = files.try_emplace(placeKey(file), TensorsOfFile{file, {}}).first;
        std::vector<NamedTensor>& tensors = place->second.tensors;
        tensors.push_back(output.tensor);
        if (!name.empty())
            tensors.back().name = name;
        for (size_t i = 0; i + 1 < tensors.size(); ++i)
            if (endsWith(file, ".npy") || tensors[i].name == tensors.back().name)
                throw InputError(fmt::format("{}: two tensors would go to the same place, expected different files or, "
                                             "in a .npz or .safetensors, different names",
                                             output.spec));
    }
    return files;
}

} // namespace

void checkOutputs(const std::vector<OutputTensor>& outputs) {
    byFile(outputs); // looks at each place
}

void saveTensors(const std::vector<OutputTensor>& outputs) {
    for (const auto& [key, place] : byFile(outputs)) {
        const auto& [file, tensors] = place;
        if (endsWith(file, ".npy")) {
            writeNpy(file, tensors.front().tensor, tensors.front().dtype);
        } else if (endsWith(file, ".npz")) {
            std::map<std::string, std::string> arrays;
            for (const NamedTensor& item : tensors)
                arrays[item.name] = npyBytes(item.tensor, item.dtype);
            writeNpz(file, arrays);
        } else {
            const std::string bytes = safetensorsBytes(tensors);
            AtomicFile out(file);
            out.stream().write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
            out.commit();
        }
    }
}

} // namespace warplight::formats
