// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/kernel_argument.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/tensor/pieces.h"
#include "core/tensor/random.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/half.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

namespace warplight::kernels {
namespace {

constexpr int64_t mostBytes = int64_t(8) << 30;

[[noreturn]] void refuseExtent(const std::string& where, const std::string& text) {
    throw InputError(fmt::format("{} {}: expected X, X,Y or X,Y,Z, each at least 1", where, echoed(text)));
}

} // namespace

void KernelArgument::refuse(const std::string& expected) const {
    throw InputError(fmt::format("{} {}: expected {}", where, echoed(spec), expected));
}

template <class T>
T KernelArgument::number(std::string_view text) const {
    T value{};
    std::from_chars_result result;
    if constexpr (std::is_integral_v<T>) {
        const int base = text.starts_with("0x") ? 16 : 10;
        if (base == 16)
            text.remove_prefix(2);
        result = std::from_chars(text.data(), text.data() + text.size(), value, base);
    } else {
        result = std::from_chars(text.data(), text.data() + text.size(), value);
    }
    if (result.ec != std::errc() || result.ptr != text.data() + text.size())
        refuse("a number that fits its type");
    return value;
}

/// "f32[1024,64]", and with a file "f32[1024,64]:FILE.npy".
void KernelArgument::readOutput(const std::string& rest, bool toFile) {
    const std::string closing = toFile ? "]:" : "]";
    const size_t open = rest.find('['), close = rest.find(closing);
    if (open == std::string::npos || close == std::string::npos || close < open ||
        (toFile ? close + 2 >= rest.size() : close + 1 != rest.size()))
        refuse(toFile ? "out:TYPE[SHAPE]:FILE.npy, for example out:f32[1024,64]:o.npy"
                      : "a type and a shape, for example f32[1024,64]");
    const std::string type = rest.substr(0, open);
    const number::Format known[] = {
        number::Format::F16, number::Format::BF16, number::Format::F32,  number::Format::F64, number::Format::I8,
        number::Format::U8,  number::Format::I16,  number::Format::U16,  number::Format::I32, number::Format::U32,
        number::Format::I64, number::Format::U64,  number::Format::E4M3, number::Format::E5M2};
    const auto found =
        std::find_if(std::begin(known), std::end(known), [&](number::Format d) { return number::name(d) == type; });
    if (found == std::end(known))
        refuse("a type such as f32, f16, i32 or u8 before the shape");
    if (toFile && (*found == number::Format::E4M3 || *found == number::Format::E5M2))
        refuse(fmt::format("a type that .npy has a name for: f32, f16, u8, not {}", type));
    array.dtype = *found;
    for (size_t at = open + 1; at < close;) {
        const size_t end = std::min(rest.find(',', at), close);
        array.shape.push_back(number<int64_t>(std::string_view(rest).substr(at, end - at)));
        at = end + 1;
    }
    int64_t bytes = number::bytes(array.dtype);
    for (const int64_t extent : array.shape) {
        if (extent < 0 || (extent > 0 && bytes > mostBytes / extent))
            refuse("an array of at most 8 GiB");
        bytes *= extent;
    }
    // Here, on the GPU and in its record of what was written; made-up numbers come as f32.
    requireMemory({saturatedProduct(bytes, 3 + 4 / number::bytes(array.dtype)), 0,
                   fmt::format("{} {}", where, echoed(spec)), "its shape"});
    growTo(array.bytes, static_cast<size_t>(bytes), cancel);
    if (toFile)
        output = rest.substr(close + 2);
}

void KernelArgument::makeUp(const std::string& kind) {
    given = true;
    const auto count = static_cast<size_t>(tensor::elementCount(array.shape));
    if (kind == "zeros")
        return;
    std::vector<float> values;
    growTo(values, count, cancel);
    const bool floating =
        number::isSmallFloat(array.dtype) || array.dtype == number::Format::F32 || array.dtype == number::Format::F64;
    if (kind == "random")
        tensor::fillGaussian(values, 42, 0, 1, cancel);
    inPieces(count, sizeof(float), cancel, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) {
            if (kind == "iota")
                values[i] = static_cast<float>(i);
            else if (!floating)
                values[i] = std::floor(std::min(std::fabs(values[i]) * 33, 99.0f));
            store(i, values[i]);
        }
    });
}

void KernelArgument::store(size_t index, float value) {
    const auto put = [&](auto typed) {
        std::memcpy(array.bytes.data() + index * sizeof(typed), &typed, sizeof(typed));
    };
    switch (array.dtype) {
    case number::Format::F16:
        return put(warplight::number::floatToF16(value));
    case number::Format::BF16:
        return put(warplight::number::floatToBf16(value));
    case number::Format::F32:
        return put(value);
    case number::Format::F64:
        return put(static_cast<double>(value));
    case number::Format::I8:
    case number::Format::U8:
    case number::Format::Bool:
        return put(static_cast<uint8_t>(static_cast<int64_t>(value)));
    case number::Format::I16:
    case number::Format::U16:
        return put(static_cast<uint16_t>(static_cast<int64_t>(value)));
    case number::Format::I32:
    case number::Format::U32:
        return put(static_cast<uint32_t>(static_cast<int64_t>(value)));
    case number::Format::I64:
    case number::Format::U64:
        return put(static_cast<int64_t>(value));
    case number::Format::E4M3:
    case number::Format::E5M2:
        return put(warplight::number::floatToByte(value, array.dtype));
    }
}

KernelArgument::KernelArgument(gpu::Device& d, const std::string& w, const std::string& s, const std::string& name,
                               const std::atomic<bool>* c)
    : device(&d), where(w), spec(s), cancel(c) {
    const size_t colon = spec.find(':');
    if (colon == std::string::npos)
        refuse("in:FILE.npy, out:TYPE[SHAPE]:FILE.npy, inout:FILE.npy:FILE2.npy, random:f32[1024], zeros:f32[1024], "
               "i32:1024, f32:0.125 or ptr:0");
    const std::string kind = spec.substr(0, colon), rest = spec.substr(colon + 1);
    if (kind == "in") {
        array = formats::readRawNpy(rest, cancel);
        given = true;
    } else if (kind == "inout") {
        const size_t split = rest.find(".npy:");
        if (split == std::string::npos)
            refuse("inout:FILE.npy:FILE2.npy");
        array = formats::readRawNpy(rest.substr(0, split + 4), cancel);
        output = rest.substr(split + 5);
        given = true;
    } else if (kind == "out") {
        readOutput(rest, true);
    } else if (kind == "random" || kind == "zeros" || kind == "iota") {
        readOutput(rest, false);
        makeUp(kind);
    } else {
        argument = scalar(kind, rest);
        return;
    }
    buffer.emplace(*device, static_cast<int64_t>(array.bytes.size()), name.empty() ? kind : name);
    if (!output.empty())
        formats::checkWritable(output); // before the kernel runs
    restore();
    argument = gpu::Argument(buffer->address());
}

gpu::Argument KernelArgument::scalar(const std::string& type, std::string_view text) const {
    if (type == "i32")
        return number<int32_t>(text);
    if (type == "u32")
        return number<uint32_t>(text);
    if (type == "i64")
        return number<int64_t>(text);
    if (type == "u64" || type == "ptr")
        return number<uint64_t>(text);
    if (type == "f32")
        return number<float>(text);
    if (type == "f64")
        return number<double>(text);
    if (type == "f16")
        return warplight::number::floatToF16(number<float>(text));
    refuse("in, out, inout, random, zeros, iota, i32, u32, i64, u64, f16, f32, f64 or ptr before the colon");
}

void KernelArgument::restore() {
    if (buffer && given)
        inPieces(array.bytes.size(), 1, cancel, [&](size_t begin, size_t end) {
            device->upload(buffer->address() + begin, array.bytes.data() + begin, static_cast<int64_t>(end - begin));
        });
}

void KernelArgument::save() {
    if (output.empty())
        return;
    formats::RawArray result = array;
    buffer->download(result.bytes.data());
    formats::writeRawNpy(output, result);
}

void checkOutputsDiffer(const std::vector<KernelArgument>& arguments) {
    std::set<std::string> places;
    for (const KernelArgument& argument : arguments) {
        const std::string& file = argument.outputFile();
        if (file.empty() || std::filesystem::is_character_file(file)) // /dev/null takes any number
            continue;
        if (!places.insert(formats::placeKey(file)).second)
            throw InputError(fmt::format("{}: two arguments would be written there, expected a file for each", file));
    }
}

gpu::Extent readExtent(const std::string& where, const std::string& text) {
    uint32_t part[3] = {1, 1, 1};
    size_t at = 0, count = 0;
    for (; at <= text.size() && count < 3; ++count) {
        const size_t end = std::min(text.find(',', at), text.size());
        const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, part[count]);
        if (error != std::errc() || stop != text.data() + end || part[count] == 0)
            refuseExtent(where, text);
        at = end + 1;
    }
    if (at <= text.size())
        refuseExtent(where, text);
    return {part[0], part[1], part[2]};
}

} // namespace warplight::kernels
