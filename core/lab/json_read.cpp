// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/lab/figure_checks.h"
#include "core/lab/json.h"
#include "core/lab/json_members.h"
#include "core/text/echo.h"

#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace warplight::lab {
namespace {

using nlohmann::json;

constexpr uint64_t uint32Tag = 70, float32Tag = 85, float64Tag = 86; ///< RFC 8746, section 2.1: little endian

[[noreturn]] void wrongType(const std::string& path, std::string_view expected, const json& given) {
    throw InputError(fmt::format("{}: expected {}, not {}", path, expected,
                                 given.is_binary() ? "a byte string" : given.type_name()));
}

template <class T>
T readObject(const json& object, const std::string& path);

void read(const json& given, const std::string& path, std::string& text) {
    if (!given.is_string()) {
        wrongType(path, "text", given);
    }
    text = given.get_ref<const std::string&>();
}

void read(const json& given, const std::string& path, bool& flag) {
    if (!given.is_boolean()) {
        wrongType(path, "true or false", given);
    }
    flag = given.get<bool>();
}

/// Whole numbers may come as floats from writers that know no others.
template <class Whole>
void readWhole(const json& given, const std::string& path, Whole& number) {
    bool fits = false;
    if (given.is_number_unsigned()) {
        const auto held = given.get<uint64_t>();
        fits = std::in_range<Whole>(held);
        number = static_cast<Whole>(held);
    } else if (given.is_number_integer()) {
        const auto held = given.get<int64_t>();
        fits = std::in_range<Whole>(held);
        number = static_cast<Whole>(held);
    } else if (given.is_number_float()) {
        constexpr double exact = 9007199254740992.0; // 2^53
        const double held = given.get<double>();
        fits = std::abs(held) <= exact && held == std::floor(held) && std::in_range<Whole>(static_cast<int64_t>(held));
        number = fits ? static_cast<Whole>(held) : Whole{};
    }
    if (!fits) {
        wrongType(path, "a whole number in range", given);
    }
}

void read(const json& given, const std::string& path, int& number) { readWhole(given, path, number); }
void read(const json& given, const std::string& path, int64_t& number) { readWhole(given, path, number); }
void read(const json& given, const std::string& path, uint64_t& number) { readWhole(given, path, number); }

void read(const json& given, const std::string& path, double& number) {
    if (!given.is_number()) {
        wrongType(path, "a number", given);
    }
    number = given.get<double>();
}

template <class E>
requires std::is_enum_v<E>
void read(const json& given, const std::string& path, E& choice) {
    constexpr auto& names = vocabulary::EnumNames<E>::names;
    const auto found =
        given.is_string() ? std::find(names.begin(), names.end(), given.get_ref<const std::string&>()) : names.end();
    if (found == names.end()) {
        throw InputError(fmt::format("{}: expected one of {}", path, fmt::join(names, ", ")));
    }
    choice = static_cast<E>(found - names.begin());
}

template <class Stored, class Number>
std::vector<Number> unpack(const json::binary_t& bytes, const std::string& path) {
    if (bytes.size() % sizeof(Stored) != 0) {
        throw InputError(
            fmt::format("{}: {} bytes are not whole numbers of {} bytes each", path, bytes.size(), sizeof(Stored)));
    }
    std::vector<Stored> numbers(bytes.size() / sizeof(Stored));
    if (!numbers.empty()) {
        std::memcpy(numbers.data(), bytes.data(), bytes.size());
    }
    if constexpr (std::is_same_v<Stored, Number>) {
        return numbers;
    } else {
        return std::vector<Number>(numbers.begin(), numbers.end());
    }
}

/// A typed array of either width, or an ordinary array in which null is NaN.
template <class Number>
void readNumbers(const json& given, const std::string& path, std::vector<Number>& numbers) {
    if (given.is_binary()) {
        const json::binary_t& bytes = given.get_binary();
        if (bytes.has_subtype() && bytes.subtype() == float32Tag) {
            numbers = unpack<float, Number>(bytes, path);
        } else if (bytes.has_subtype() && bytes.subtype() == float64Tag) {
            numbers = unpack<double, Number>(bytes, path);
        } else {
            throw InputError(path + ": expected a typed array with tag 85 or 86");
        }
        return;
    }
    if (!given.is_array()) {
        wrongType(path, "an array of numbers", given);
    }
    numbers.clear();
    for (const json& item : given) {
        if (!item.is_number() && !item.is_null()) {
            wrongType(path, "numbers only", item);
        }
        numbers.push_back(item.is_null() ? std::numeric_limits<Number>::quiet_NaN() : item.get<Number>());
    }
}

void read(const json& given, const std::string& path, std::vector<float>& numbers) {
    readNumbers(given, path, numbers);
}
void read(const json& given, const std::string& path, std::vector<double>& numbers) {
    readNumbers(given, path, numbers);
}

/// A typed array of u32, or an ordinary array of whole numbers.
void read(const json& given, const std::string& path, std::vector<uint32_t>& numbers) {
    if (given.is_binary()) {
        const json::binary_t& bytes = given.get_binary();
        if (!bytes.has_subtype() || bytes.subtype() != uint32Tag) {
            throw InputError(path + ": expected a typed array with tag 70");
        }
        numbers = unpack<uint32_t, uint32_t>(bytes, path);
        return;
    }
    if (!given.is_array()) {
        wrongType(path, "an array of whole numbers", given);
    }
    numbers.clear();
    for (const json& item : given) {
        readWhole(item, path, numbers.emplace_back());
    }
}

void read(const json& given, const std::string& path, Table::Cell& cell) {
    if (given.is_null()) {
        cell = std::monostate{};
    } else if (given.is_string()) {
        cell = given.get_ref<const std::string&>();
    } else if (given.is_number_float()) {
        cell = given.get<double>();
    } else {
        int64_t number = 0;
        readWhole(given, path, number);
        cell = number;
    }
}

void read(const json& given, const std::string&, Value& value) { value = valueFromJson(given); }
void read(const json& given, const std::string&, Parameter& parameter) { parameter = parameterFromJson(given); }

template <class M>
requires std::is_class_v<M>
void read(const json& given, const std::string& path, M& nested) { nested = readObject<M>(given, path); }

template <class M>
void read(const json& given, const std::string& path, std::optional<M>& held) {
    if (given.is_null()) {
        held.reset();
    } else {
        read(given, path, held.emplace());
    }
}

template <class M>
void read(const json& given, const std::string& path, std::map<std::string, M>& map) {
    if (!given.is_object()) {
        wrongType(path, "a map", given);
    }
    map.clear();
    for (const auto& [name, item] : given.items()) {
        read(item, path + "." + echoed(name), map[name]);
    }
}

void read(const json& given, const std::string& path, std::map<int64_t, Link>& links);
void read(const json& given, const std::string& path, std::vector<Timeline::Span>& spans);

template <class M>
void read(const json& given, const std::string& path, std::vector<M>& list) {
    if (!given.is_array()) {
        wrongType(path, "an array", given);
    }
    list.clear();
    list.reserve(given.size());
    for (const json& item : given) {
        read(item, path, list.emplace_back());
    }
}

template <class T>
class ObjectReader {
  public:
    ObjectReader(const json& object, const std::string& path) : object(object), path(path) {
        if (!object.is_object()) {
            wrongType(path, "a map", object);
        }
    }

    template <class M>
    void need(const char* name, M T::*member) {
        read(at(name), path + "." + name, value.*member);
    }

    template <class M>
    void may(const char* name, M T::*member) {
        const auto found = object.find(name);
        if (found != object.end()) {
            read(*found, path + "." + name, value.*member);
        }
    }

    void content() {
        std::string kind;
        read(at("kind"), path + ".kind", kind);
        const auto& kinds = vocabulary::figureKinds;
        const auto found = std::find(kinds.begin(), kinds.end(), kind);
        if (found == kinds.end()) {
            throw InputError(fmt::format("{}.kind: \"{}\" is none of {}", path, echoed(kind), fmt::join(kinds, ", ")));
        }
        readAlternative(value.content, static_cast<size_t>(found - kinds.begin()));
    }

    T take() {
        vocabulary::members(*this, std::type_identity<T>{});
        return std::move(value);
    }

  private:
    const json& at(const char* name) const {
        const auto found = object.find(name);
        if (found == object.end()) {
            throw InputError(fmt::format("{}.{} is missing", path, name));
        }
        return *found;
    }

    template <size_t i = 0>
    void readAlternative(Content& content, size_t index) {
        if constexpr (i < std::variant_size_v<Content::variant>) {
            if (i == index) {
                read(at("content"), path + ".content", content.emplace<i>());
            } else {
                readAlternative<i + 1>(content, index);
            }
        }
    }

    const json& object;
    const std::string& path;
    T value{};
};

template <class T>
T readObject(const json& object, const std::string& path) {
    T value = ObjectReader<T>(object, path).take();
    if constexpr (std::is_same_v<T, Figure>) {
        checkFigure(value);
    } else if constexpr (std::is_same_v<T, Curve>) {
        checkCurve(value);
    } else if constexpr (std::is_same_v<T, TilePut>) {
        checkTile(value);
    } else if constexpr (std::is_same_v<T, SpansAppended>) {
        checkSpans(value.figure, value.spans);
    } else if constexpr (std::is_same_v<T, StepsAppended>) {
        checkSteps(value.figure, value.steps);
    }
    return value;
}

void read(const json& given, const std::string& path, std::map<int64_t, Link>& links) {
    if (!given.is_array()) {
        wrongType(path, "an array", given);
    }
    links.clear();
    for (const json& item : given) {
        Link link = readObject<Link>(item, path);
        int64_t row = 0;
        if (!item.contains("row")) {
            throw InputError(path + ".row is missing");
        }
        readWhole(item["row"], path + ".row", row);
        links[row] = std::move(link);
    }
}

void read(const json& given, const std::string& path, std::vector<Timeline::Span>& spans) {
    spans = spansOf(readObject<SpanColumns>(given, path));
}

template <size_t i = 0>
Frame readFrame(const json& json, size_t index, const std::string& path) {
    if constexpr (i + 1 < std::variant_size_v<Frame>) {
        if (i != index) {
            return readFrame<i + 1>(json, index, path);
        }
    }
    return readObject<std::variant_alternative_t<i, Frame>>(json, path);
}

/// By the parameter's type, range and options not yet looked at.
Value convert(const Parameter& parameter, const json& given) {
    const auto as = [&]<class T>(T value) -> Value {
        read(given, parameter.id, value);
        return value;
    };
    switch (parameter.type) {
    case Parameter::Type::Integer:
        return as(int64_t{});
    case Parameter::Type::Real:
        return as(double{});
    case Parameter::Type::Flag:
        return as(bool{});
    case Parameter::Type::Choice:
    case Parameter::Type::File:
    case Parameter::Type::Text:
        return as(std::string{});
    case Parameter::Type::Choices: { // named twice is once, as in a text
        std::vector<std::string> named;
        read(given, parameter.id, named);
        return distinctOptions(parameter, named);
    }
    case Parameter::Type::Sweep:
        return as(std::vector<int64_t>{});
    }
    throw InputError(parameter.id + ": unknown type");
}

} // namespace

Value valueFromJson(const Parameter& parameter, const json& given) {
    return given.is_string() ? parseValue(parameter, given.get_ref<const std::string&>()) : convert(parameter, given);
}

Value valueFromJson(const json& given) {
    if (given.is_boolean()) {
        return given.get<bool>();
    }
    if (given.is_number_float()) {
        return given.get<double>();
    }
    if (given.is_number()) {
        int64_t number = 0;
        read(given, "setting", number);
        return number;
    }
    if (given.is_string()) {
        return given.get<std::string>();
    }
    if (given.is_array() && !given.empty() && given.front().is_number()) {
        std::vector<int64_t> numbers;
        read(given, "setting", numbers);
        return numbers;
    }
    std::vector<std::string> texts;
    read(given, "setting", texts);
    return texts;
}

Parameter parameterFromJson(const json& given) {
    Parameter parameter = readObject<Parameter>(given, "parameter");
    if (!given.contains("default")) {
        throw InputError(fmt::format("parameter.default of {} is missing", parameter.id));
    }
    parameter.defaultValue = convert(parameter, given["default"]);
    return parameter;
}

Description descriptionFromJson(const json& given) { return readObject<Description>(given, "description"); }
Machine machineFromJson(const json& given) { return readObject<Machine>(given, "machine"); }
Figure figureFromJson(const json& given) { return readObject<Figure>(given, "figure"); }

Frame frameFromJson(const json& given) {
    if (!given.is_object() || !given.contains("type") || !given["type"].is_string()) {
        throw InputError("frame.type is missing");
    }
    const auto& types = vocabulary::frameTypes;
    const auto& type = given["type"].get_ref<const std::string&>();
    const auto found = std::find(types.begin(), types.end(), type);
    if (found == types.end()) {
        throw InputError(fmt::format("frame.type: \"{}\" is none of {}", echoed(type), fmt::join(types, ", ")));
    }
    return readFrame(given, static_cast<size_t>(found - types.begin()), type);
}

} // namespace warplight::lab
