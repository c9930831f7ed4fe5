// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/npy.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/formats/decode.h"
#include "core/formats/mapped_file.h"
#include "core/formats/not_read.h"
#include "core/tensor/pieces.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/half.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ios>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace warplight::formats {
namespace {

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
    throw InputError(fmt::format("{}: {}", where, what));
}

/// Reads the header's Python dictionary literal: three keys in any order, either quote, trailing commas.
class HeaderReader {
  public:
    HeaderReader(std::string_view text, const std::string& where) : text(text), where(where) {}

    void read(NpyHeader& header) {
        expect('{');
        bool descr = false, order = false, shape = false;
        while (!take('}')) {
            const std::string key = quoted();
            expect(':');
            if (key == "descr") {
                skipSpace();
                if (peek() == '[')
                    throw UnreadType(where + ": descr is a list of record fields, expected a single number type",
                                     "records");
                readType(quoted(), header);
                descr = true;
            } else if (key == "fortran_order") {
                header.fortranOrder = boolean();
                order = true;
            } else if (key == "shape") {
                header.shape = tuple();
                shape = true;
            } else {
                refuse(where,
                       fmt::format("header key '{}' is not known, expected descr, fortran_order and shape", key));
            }
            if (!take(',')) {
                expect('}');
                break;
            }
        }
        if (!descr || !order || !shape)
            refuse(where, "the header lacks descr, fortran_order or shape");
    }

  private:
    char peek() const { return at < text.size() ? text[at] : '\0'; }
    void skipSpace() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\t')
            ++at;
    }
    bool take(char c) {
        skipSpace();
        if (peek() != c || at >= text.size())
            return false;
        ++at;
        return true;
    }
    void expect(char c) {
        if (!take(c))
            refuse(where, fmt::format(
                              "the header is no dictionary of descr, fortran_order and shape: expected '{}' at byte {}",
                              c, at));
    }
    std::string quoted() {
        skipSpace();
        const char quote = peek();
        const size_t end = quote == '\'' || quote == '"' ? text.find(quote, at + 1) : std::string_view::npos;
        if (end == std::string_view::npos)
            refuse(where, fmt::format("expected a quoted word at byte {} of the header", at));
        const std::string word(text.substr(at + 1, end - at - 1));
        at = end + 1;
        return word;
    }
    bool boolean() {
        skipSpace();
        for (const bool value : {true, false}) {
            const std::string_view word = value ? "True" : "False";
            if (text.substr(at).starts_with(word)) {
                at += word.size();
                return value;
            }
        }
        refuse(where, "fortran_order is neither True nor False");
    }
    std::vector<int64_t> tuple() {
        std::vector<int64_t> values;
        expect('(');
        while (!take(')')) {
            skipSpace();
            int64_t value = 0;
            const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), value);
            if (error != std::errc() || value < 0)
                refuse(where, "shape holds something else than whole numbers of at least 0");
            at = static_cast<size_t>(end - text.data());
            if (peek() == 'L') // Python 2 wrote 5L
                ++at;
            values.push_back(value);
            if (!take(',')) {
                expect(')');
                break;
            }
        }
        return values;
    }
    void readType(const std::string& descr, NpyHeader& header) const {
        static const std::map<std::string, number::Format, std::less<>> types{
            {"f2", number::Format::F16}, {"f4", number::Format::F32}, {"f8", number::Format::F64},
            {"i1", number::Format::I8},  {"u1", number::Format::U8},  {"i2", number::Format::I16},
            {"u2", number::Format::U16}, {"i4", number::Format::I32}, {"u4", number::Format::U32},
            {"i8", number::Format::I64}, {"u8", number::Format::U64}, {"b1", number::Format::Bool},
            {"V2", number::Format::BF16}};
        if (descr.find('O') != std::string::npos)
            throw UnreadType(fmt::format("{}: descr '{}' holds pickled Python objects, expected numbers", where, descr),
                             meaningOfDescr(descr));
        const bool hasOrder = !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
        const auto found = types.find(descr.substr(hasOrder ? 1 : 0));
        if (found == types.end())
            throw UnreadType(
                fmt::format("{}: descr '{}' ({}) is not read, expected f2, f4, f8, b1, an integer, or V2 (bf16)", where,
                            descr, meaningOfDescr(descr)),
                meaningOfDescr(descr));
        header.dtype = found->second;
        header.bigEndian = descr[0] == '>';
    }

    std::string_view text;
    const std::string& where;
    size_t at = 0;
};

} // namespace

NpyHeader readNpyHeader(std::span<const std::byte> file, const std::string& where) {
    const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
    if (text.size() < 10 || !text.starts_with("\x93NUMPY"))
        refuse(where, "does not begin as a .npy file does (\\x93NUMPY)");
    const int version = static_cast<unsigned char>(text[6]);
    if (version < 1 || version > 3)
        refuse(where, fmt::format(".npy version {} is not known, expected 1, 2 or 3", version));
    const size_t lengthBytes = version == 1 ? 2 : 4, begin = 8 + lengthBytes;
    uint64_t length = 0;
    for (size_t i = 0; i < lengthBytes && 8 + i < text.size(); ++i)
        length |= static_cast<uint64_t>(static_cast<unsigned char>(text[8 + i])) << (8 * i);
    if (begin > text.size() || length > text.size() - begin)
        refuse(where, fmt::format("the header says it has {} bytes, but the file ends before", length));
    NpyHeader header;
    HeaderReader(text.substr(begin, length), where).read(header);
    header.dataBegin = begin + length;
    return header;
}

tensor::Tensor readNpy(std::span<const std::byte> file, const std::string& where, const std::atomic<bool>* cancel) {
    NpyHeader header = readNpyHeader(file, where);
    return decodeElements(file.subspan(header.dataBegin), header.dtype, header.bigEndian, header.fortranOrder,
                          std::move(header.shape), where, cancel);
}

std::string elementBytes(const tensor::Tensor& tensor, number::Format dtype) {
    std::string bytes(tensor.values.size() * static_cast<size_t>(number::bytes(dtype)), '\0');
    const auto store = [&](auto convert) {
        char* to = bytes.data();
        for (const float value : tensor.values) {
            const auto stored = convert(value);
            std::memcpy(to, &stored, sizeof stored);
            to += sizeof stored;
        }
    };
    switch (dtype) {
    case number::Format::F32:
        store([](float x) { return x; });
        break;
    case number::Format::F64:
        store([](float x) { return static_cast<double>(x); });
        break;
    case number::Format::F16:
        store(number::floatToF16);
        break;
    case number::Format::BF16:
        store(number::floatToBf16);
        break;
    case number::Format::E4M3:
    case number::Format::E5M2:
        store([dtype](float x) { return number::floatToByte(x, dtype); });
        break;
    default:
        throw InputError(
            fmt::format("type {} cannot be written, expected f16, bf16, f32, f64, e4m3 or e5m2", number::name(dtype)));
    }
    return bytes;
}

std::string npyStart(const std::vector<int64_t>& shape, number::Format dtype) {
    static const std::map<number::Format, const char*> names{
        {number::Format::F16, "<f2"}, {number::Format::BF16, "<V2"}, {number::Format::F32, "<f4"},
        {number::Format::F64, "<f8"}, {number::Format::I8, "|i1"},   {number::Format::U8, "|u1"},
        {number::Format::I16, "<i2"}, {number::Format::U16, "<u2"},  {number::Format::I32, "<i4"},
        {number::Format::U32, "<u4"}, {number::Format::I64, "<i8"},  {number::Format::U64, "<u8"},
        {number::Format::Bool, "|b1"}};
    const auto name = names.find(dtype);
    if (name == names.end())
        throw InputError(
            fmt::format("{} has no name in a .npy, expected a .safetensors file for it", number::name(dtype)));
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", name->second,
                                     fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    const char length[2] = {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
    return std::string("\x93NUMPY\x01\x00", 8) + std::string(length, 2) + header;
}

std::string npyBytes(const tensor::Tensor& tensor, number::Format dtype) {
    const std::string data = elementBytes(tensor, dtype); // refuses what cannot be written
    return npyStart(tensor.shape, dtype) + data;
}

RawArray readRawNpy(const std::string& file, const std::atomic<bool>* cancel) {
    const MappedFile mapped(file);
    const NpyHeader header = readNpyHeader(mapped.bytes(), file);
    if (header.bigEndian || (header.fortranOrder && header.shape.size() > 1))
        refuse(file, "expected little-endian numbers in C order");
    const auto bytes = static_cast<size_t>(tensor::elementCount(header.shape) * number::bytes(header.dtype));
    const auto data = mapped.bytes().subspan(header.dataBegin);
    if (data.size() < bytes)
        refuse(file, fmt::format("holds {} bytes of numbers, expected {}", data.size(), bytes));
    requireMemory({static_cast<int64_t>(bytes), 0, file, {}});
    RawArray array{header.dtype, header.shape, {}};
    growTo(array.bytes, bytes, cancel);
    copyInPieces(data, array.bytes, cancel);
    return array;
}

void writeRawNpy(const std::string& file, const RawArray& array) {
    const std::string start = npyStart(array.shape, array.dtype);
    AtomicFile out(file);
    out.stream().write(start.data(), static_cast<std::streamsize>(start.size()));
    out.stream().write(reinterpret_cast<const char*>(array.bytes.data()),
                       static_cast<std::streamsize>(array.bytes.size()));
    out.commit();
}

void writeNpy(const std::filesystem::path& file, const tensor::Tensor& tensor, number::Format dtype) {
    const std::string bytes = npyBytes(tensor, dtype);
    AtomicFile out(file);
    out.stream().write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.commit();
}

} // namespace warplight::formats
