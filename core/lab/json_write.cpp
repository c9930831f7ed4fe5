// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/json.h"
#include "core/lab/json_members.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::lab {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "typed arrays are copied as they lie in memory");

constexpr uint64_t uint32Tag = 70, float32Tag = 85, float64Tag = 86; ///< RFC 8746, section 2.1: little endian

/// Writes one object; `write` below starts a new one for every nested object.
template <class T>
class ObjectWriter {
  public:
    ObjectWriter(const T& value, bool plainArrays) : value(value), plain(plainArrays) {}

    template <class M>
    void need(const char* name, M T::*member) {
        object[name] = write(value.*member);
    }

    template <class M>
    void may(const char* name, M T::*member) {
        if (!isDefault(value.*member, member)) {
            object[name] = write(value.*member);
        }
    }

    void content() {
        object["kind"] = std::string(kindName(value));
        object["content"] = std::visit([&](const auto& content) { return write(content); }, value.content);
    }

    json take() {
        vocabulary::members(*this, std::type_identity<T>{});
        return std::move(object);
    }

  private:
    template <class M>
    static bool isDefault(const std::vector<M>& list, std::vector<M> T::*) {
        return list.empty();
    }
    template <class M>
    static bool isDefault(const M& held, M T::*member) {
        static const T standard{};
        return held == standard.*member;
    }

    static json write(const std::string& text) { return text; }
    static json write(bool flag) { return flag; }
    static json write(int number) { return number; }
    static json write(int64_t number) { return number; }
    static json write(uint64_t number) { return number; }
    static json write(double number) { return number; }

    template <class E>
    requires std::is_enum_v<E>
    static json write(E choice) { return std::string(vocabulary::EnumNames<E>::names.at(static_cast<size_t>(choice))); }

    template <class M>
    json write(const std::optional<M>& held) const {
        return held ? write(*held) : json();
    }

    json write(const std::vector<float>& numbers) const { return writeNumbers(numbers, float32Tag); }
    json write(const std::vector<double>& numbers) const { return writeNumbers(numbers, float64Tag); }
    json write(const std::vector<uint32_t>& numbers) const { return writeNumbers(numbers, uint32Tag); }
    json write(const std::vector<Timeline::Span>& spans) const { return write(columnsOf(spans)); }
    template <class Number>
    json writeNumbers(const std::vector<Number>& numbers, uint64_t tag) const {
        if (plain) {
            return numbers;
        }
        std::vector<uint8_t> bytes(numbers.size() * sizeof(Number));
        if (!numbers.empty()) {
            std::memcpy(bytes.data(), numbers.data(), bytes.size());
        }
        return json::binary(std::move(bytes), tag);
    }

    template <class M>
    json write(const std::vector<M>& list) const {
        json array = json::array();
        for (const M& item : list) {
            array.push_back(write(item));
        }
        return array;
    }

    static json write(const Table::Cell& cell) {
        return std::visit(
            [](const auto& held) -> json {
                if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) {
                    return nullptr;
                } else {
                    return held;
                }
            },
            cell);
    }

    static json write(const Value& setting) { return toJson(setting); }
    static json write(const Parameter& parameter) { return toJson(parameter); }

    template <class M>
    json write(const std::map<std::string, M>& map) const {
        json result = json::object();
        for (const auto& [name, item] : map) {
            result[name] = write(item);
        }
        return result;
    }

    /// As a list of links, each with its `row`: keys of maps are text for every reader.
    json write(const std::map<int64_t, Link>& links) const {
        json result = json::array();
        for (const auto& [row, link] : links) {
            result.push_back(write(link));
            result.back()["row"] = row;
        }
        return result;
    }

    template <class M>
    requires std::is_class_v<M> json write(const M& nested)
    const { return ObjectWriter<M>(nested, plain).take(); }

    const T& value;
    bool plain;
    json object = json::object();
};

template <class T>
json writeObject(const T& value, bool plainArrays = false) {
    return ObjectWriter<T>(value, plainArrays).take();
}

} // namespace

json toJson(const Value& value) {
    return std::visit([](const auto& held) { return json(held); }, value);
}

json toJson(const Parameter& parameter) {
    json result = writeObject(parameter);
    result["default"] = toJson(parameter.defaultValue);
    return result;
}

json toJson(const Description& description) { return writeObject(description); }
json toJson(const Machine& machine) { return writeObject(machine); }
json toJson(const Figure& figure, bool plainArrays) { return writeObject(figure, plainArrays); }

json toJson(const Frame& frame, bool plainArrays) {
    json result = std::visit([plainArrays](const auto& held) { return writeObject(held, plainArrays); }, frame);
    result["type"] = std::string(vocabulary::frameTypes.at(frame.index()));
    return result;
}

} // namespace warplight::lab
