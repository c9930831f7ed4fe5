// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/cbor.h"

#include "core/error.h"
#include "core/text/echo.h"

#include <cstdint>
#include <fmt/format.h>
#include <string>

#include <algorithm>
#include <optional>
#include <string_view>

namespace warplight::lab {
namespace {

using nlohmann::json;

/// Our deepest messages (a cell of a step, the counts of a line of a figure of a frame) are nested eight deep.
constexpr size_t maximumDepth = 32;

/// Walks the structure of a CBOR item without recursion or allocation by its lengths. The parser behind it recurses
/// for every array, map and tag, so that a few megabytes of opening brackets would exhaust its stack.
class WellFormed {
  public:
    explicit WellFormed(std::span<const std::byte> cbor) : bytes(cbor) {}

    void check() {
        open.push_back({1, false});
        while (!open.empty()) {
            if (open.back().left == 0) {
                open.pop_back();
                continue;
            }
            item();
        }
        if (position != bytes.size()) {
            refuse("bytes follow the message");
        }
    }

  private:
    struct Level {
        uint64_t left; ///< items still to come; indefinite: until the break
        bool indefinite;
    };
    static constexpr uint8_t breakCode = 0xff;
    static constexpr uint8_t indefiniteLength = 31;

    [[noreturn]] void refuse(std::string_view what) const {
        throw InputError(fmt::format("not a CBOR message: {} (byte {})", what, position));
    }

    uint8_t next() {
        if (position >= bytes.size()) {
            refuse("it ends too early");
        }
        return static_cast<uint8_t>(bytes[position++]);
    }

    uint64_t argument(uint8_t low) {
        if (low < 24) {
            return low;
        }
        if (low > 27) {
            refuse("a reserved length");
        }
        uint64_t value = 0;
        for (int left = 1 << (low - 24); left > 0; --left) {
            value = value << 8 | next();
        }
        return value;
    }

    void skip(uint64_t count) {
        if (count > bytes.size() - position) {
            refuse("it ends too early");
        }
        position += count;
    }

    void down(uint64_t items, bool indefinite) {
        if (open.size() >= maximumDepth) {
            refuse("nested too deeply");
        }
        if (items > bytes.size() - position) {
            refuse("it ends too early");
        }
        open.push_back({items, indefinite});
    }

    void item() {
        const uint8_t head = next();
        if (open.back().indefinite && head == breakCode) {
            open.back() = {0, false};
            return;
        }
        if (!open.back().indefinite) {
            --open.back().left;
        }
        const uint8_t major = head >> 5, low = head & 31;
        switch (major) {
        case 0:
        case 1:
            argument(low);
            break;
        case 2:
        case 3:
            skip(argument(low)); // strings in chunks have a reserved length here: nobody needs them
            break;
        case 4:
        case 5:
            low == indefiniteLength ? down(1, true) : down(checkedItems(argument(low), major), false);
            break;
        case 6:
            argument(low);
            if (position >= bytes.size() || static_cast<uint8_t>(bytes[position]) >> 5 != 2) {
                refuse("a tag on something else than a byte string");
            }
            skip(argumentOfBytes());
            break;
        default:
            if (low != 20 && low != 21 && low != 22 && (low < 25 || low > 27)) {
                refuse("an unknown simple value");
            }
            skip(low < 25 ? 0 : uint64_t{1} << (low - 24));
        }
    }

    uint64_t argumentOfBytes() { return argument(next() & 31); }

    uint64_t checkedItems(uint64_t count, uint8_t major) const {
        if (major == 5 && count > bytes.size()) {
            refuse("it ends too early");
        }
        return major == 5 ? count * 2 : count;
    }

    std::span<const std::byte> bytes;
    size_t position = 0;
    std::vector<Level> open;
};

/// Whether all texts and names in it are UTF-8, as CBOR demands.
bool isValid(const json& value) {
    if (value.is_string())
        return isUtf8(value.get_ref<const std::string&>());
    if (value.is_array())
        return std::all_of(value.begin(), value.end(), isValid);
    if (value.is_object())
        for (const auto& [name, item] : value.get_ref<const json::object_t&>())
            if (!isUtf8(name) || !isValid(item))
                return false;
    return true;
}

json validated(const json& value) {
    if (value.is_string())
        return asUtf8(value.get_ref<const std::string&>());
    if (!value.is_structured())
        return value;
    json result = value.is_object() ? json::object() : json::array();
    if (value.is_object())
        for (const auto& [name, item] : value.get_ref<const json::object_t&>())
            result[asUtf8(name)] = validated(item);
    else
        for (const json& item : value)
            result.push_back(validated(item));
    return result;
}

} // namespace

std::vector<std::byte> toCbor(const json& value) {
    std::vector<std::byte> bytes;
    std::vector<uint8_t> raw = isValid(value) ? json::to_cbor(value) : json::to_cbor(validated(value));
    bytes.resize(raw.size());
    std::copy(raw.begin(), raw.end(), reinterpret_cast<uint8_t*>(bytes.data()));
    return bytes;
}

json fromCbor(std::span<const std::byte> cbor) {
    WellFormed(cbor).check();
    try {
        const auto* begin = reinterpret_cast<const uint8_t*>(cbor.data());
        return json::from_cbor(begin, begin + cbor.size(), true, true, json::cbor_tag_handler_t::store);
    } catch (const json::exception& error) {
        throw InputError(fmt::format("not a CBOR message: {}", error.what()));
    }
}

} // namespace warplight::lab
