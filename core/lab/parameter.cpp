// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/parameter.h"

#include "core/error.h"
#include "core/text/echo.h"

#include <fmt/format.h>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace warplight::lab {
namespace {

/// More points than anyone waits for; stops "1:1000000000:+1" from eating the memory.
constexpr size_t maximumSweepLength = 4096;
/// A path that the system takes (PATH_MAX), and the name of a tensor behind it.
constexpr size_t longestFileName = 4096 + 1024;

std::vector<std::string> pieces(const std::string& text, char separator) {
    std::vector<std::string> found;
    for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
        end = text.find(separator, begin);
        found.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
    }
    return found;
}

Parameter make(Parameter::Type type, std::string id, std::string title, Value value, std::string doc) {
    Parameter parameter;
    parameter.type = type;
    parameter.id = std::move(id);
    parameter.title = std::move(title);
    parameter.defaultValue = std::move(value);
    parameter.doc = std::move(doc);
    return parameter;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (size_t begin = 0;;) {
        const size_t end = text.find(separator, begin);
        parts.emplace_back(text.substr(begin, end - begin));
        if (end == std::string_view::npos) {
            return parts;
        }
        begin = end + 1;
    }
}

template <class Number>
std::optional<Number> parseNumber(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

std::string rangeText(const Parameter& parameter) {
    if (parameter.minimum && parameter.maximum) {
        return fmt::format(" from {} to {}", *parameter.minimum, *parameter.maximum);
    }
    if (parameter.minimum) {
        return fmt::format(" of at least {}", *parameter.minimum);
    }
    return parameter.maximum ? fmt::format(" of at most {}", *parameter.maximum) : "";
}

std::string optionText(const Parameter& parameter) {
    std::vector<std::string> ids;
    for (const Parameter::Option& option : parameter.options) {
        ids.push_back(option.id);
    }
    return fmt::format("{}", fmt::join(ids, ", "));
}

std::string expectation(const Parameter& parameter) {
    switch (parameter.type) {
    case Parameter::Type::Integer:
        return "a whole number" + rangeText(parameter);
    case Parameter::Type::Real:
        return "a number" + rangeText(parameter);
    case Parameter::Type::Flag:
        return "true or false";
    case Parameter::Type::Choice:
        return "one of " + optionText(parameter);
    case Parameter::Type::Choices:
        return "one or more of " + optionText(parameter);
    case Parameter::Type::File:
        return "a file name";
    case Parameter::Type::Text:
        return "text";
    case Parameter::Type::Sweep:
        return fmt::format("whole numbers{}, as \"first:last:x2\", \"first:last:+64\" or \"a,b,c\"",
                           rangeText(parameter));
    }
    return "a value";
}

[[noreturn]] void refuse(const Parameter& parameter, std::string_view given) {
    throw InputError(fmt::format("{}: expected {}, not \"{}\"", parameter.id, expectation(parameter), echoed(given)));
}

[[noreturn]] void refuseLength(const Parameter& parameter, const std::string& given) {
    throw InputError(fmt::format("{}: \"{}\" has more than {} values", parameter.id, given, maximumSweepLength));
}

void checkRange(const Parameter& parameter, double number, std::string_view given) {
    if (!std::isfinite(number) || (parameter.minimum && number < *parameter.minimum) ||
        (parameter.maximum && number > *parameter.maximum)) {
        refuse(parameter, given);
    }
}

void checkOption(const Parameter& parameter, const std::string& id) {
    if (std::none_of(parameter.options.begin(), parameter.options.end(),
                     [&](const Parameter::Option& option) { return option.id == id; })) {
        refuse(parameter, id);
    }
}

bool parseFlag(const Parameter& parameter, std::string_view text) {
    constexpr std::array<std::string_view, 4> yes = {"true", "yes", "on", "1"};
    constexpr std::array<std::string_view, 4> no = {"false", "no", "off", "0"};
    if (std::find(yes.begin(), yes.end(), text) != yes.end()) {
        return true;
    }
    if (std::find(no.begin(), no.end(), text) == no.end()) {
        refuse(parameter, text);
    }
    return false;
}

std::vector<int64_t> parseList(const Parameter& parameter, std::string_view text) {
    std::vector<int64_t> values;
    for (const std::string& part : split(text, ',')) {
        const auto number = parseNumber<int64_t>(part);
        if (!number) {
            refuse(parameter, text);
        }
        values.push_back(*number);
    }
    return values;
}

/// "first:last:x2" or "first:last:+64": last is the bound, reached or not.
std::vector<int64_t> parseRange(const Parameter& parameter, std::string_view text) {
    const std::vector<std::string> parts = split(text, ':');
    if (parts.size() != 3 || parts[2].size() < 2 || (parts[2][0] != 'x' && parts[2][0] != '+')) {
        refuse(parameter, text);
    }
    const bool geometric = parts[2][0] == 'x';
    const auto first = parseNumber<int64_t>(parts[0]), last = parseNumber<int64_t>(parts[1]);
    const auto step = parseNumber<int64_t>(std::string_view(parts[2]).substr(1));
    if (!first || !last || !step || *last < *first || (geometric ? *step < 2 || *first < 1 : *step < 1)) {
        refuse(parameter, text);
    }
    std::vector<int64_t> values;
    for (int64_t value = *first;;) {
        values.push_back(value);
        if (values.size() > maximumSweepLength) {
            refuseLength(parameter, echoed(text));
        }
        int64_t next = 0;
        const bool overflow =
            geometric ? __builtin_mul_overflow(value, *step, &next) : __builtin_add_overflow(value, *step, &next);
        if (overflow || next > *last) {
            return values;
        }
        value = next;
    }
}

std::string sweepText(const std::vector<int64_t>& values) {
    const std::string list = fmt::format("{}", fmt::join(values, ","));
    if (values.size() < 3 || values[0] >= values[1]) {
        return list;
    }
    const int64_t first = values[0];
    std::vector<std::string> candidates;
    if (first > 0 && values[1] % first == 0) {
        candidates.push_back(fmt::format("{}:{}:x{}", first, values.back(), values[1] / first));
    }
    candidates.push_back(fmt::format("{}:{}:+{}", first, values.back(), static_cast<uint64_t>(values[1]) - first));
    for (const std::string& candidate : candidates) {
        try {
            if (candidate.size() < list.size() && parseRange(Parameter{}, candidate) == values) {
                return candidate;
            }
        } catch (const InputError&) {
            continue; // a step beyond int64: the list says it
        }
    }
    return list;
}

template <class T>
const T& held(const std::map<std::string, Value>& values, const std::string& id) {
    const auto found = values.find(id);
    if (found == values.end()) {
        throw std::logic_error(fmt::format("the experiment has no parameter \"{}\"", id));
    }
    const T* value = std::get_if<T>(&found->second);
    if (value == nullptr) {
        throw std::logic_error(fmt::format("parameter \"{}\" is read as the wrong type", id));
    }
    return *value;
}

} // namespace

Parameter Parameter::integer(std::string id, std::string title, int64_t value, double minimum, double maximum,
                             std::string doc) {
    Parameter parameter = make(Type::Integer, std::move(id), std::move(title), value, std::move(doc));
    parameter.minimum = minimum;
    parameter.maximum = maximum;
    return parameter;
}

Parameter Parameter::real(std::string id, std::string title, double value, double minimum, double maximum,
                          std::string doc) {
    Parameter parameter = make(Type::Real, std::move(id), std::move(title), value, std::move(doc));
    parameter.minimum = minimum;
    parameter.maximum = maximum;
    return parameter;
}

Parameter Parameter::flag(std::string id, std::string title, bool value, std::string doc) {
    return make(Type::Flag, std::move(id), std::move(title), value, std::move(doc));
}

Parameter Parameter::choice(std::string id, std::string title, std::string value, std::vector<Option> options,
                            std::string doc) {
    Parameter parameter = make(Type::Choice, std::move(id), std::move(title), std::move(value), std::move(doc));
    parameter.options = std::move(options);
    return parameter;
}

Parameter Parameter::choices(std::string id, std::string title, std::vector<std::string> value,
                             std::vector<Option> options, std::string doc) {
    Parameter parameter = make(Type::Choices, std::move(id), std::move(title), std::move(value), std::move(doc));
    parameter.options = std::move(options);
    return parameter;
}

Parameter Parameter::file(std::string id, std::string title, std::string filter, std::string doc) {
    Parameter parameter = make(Type::File, std::move(id), std::move(title), std::string(), std::move(doc));
    parameter.fileFilter = std::move(filter);
    return parameter;
}

Parameter Parameter::text(std::string id, std::string title, std::string value, std::string doc) {
    return make(Type::Text, std::move(id), std::move(title), std::move(value), std::move(doc));
}

Parameter Parameter::sweep(std::string id, std::string title, std::vector<int64_t> value, double minimum,
                           double maximum, std::string doc) {
    Parameter parameter = make(Type::Sweep, std::move(id), std::move(title), std::move(value), std::move(doc));
    parameter.minimum = minimum;
    parameter.maximum = maximum;
    return parameter;
}

Parameter::Parameter() = default;
Parameter::Parameter(const Parameter&) = default;
Parameter::Parameter(Parameter&&) noexcept = default;
Parameter& Parameter::operator=(const Parameter&) = default;
Parameter& Parameter::operator=(Parameter&&) noexcept = default;
Parameter::~Parameter() = default;

Condition when(std::string id, std::vector<std::string> values) { return {std::move(id), std::move(values), false}; }

Condition unless(std::string id, std::vector<std::string> values) { return {std::move(id), std::move(values), true}; }

bool Parameter::mattersIn(const std::map<std::string, std::string>& texts) const {
    if (shownWhen.empty())
        return true;
    return std::any_of(shownWhen.begin(), shownWhen.end(), [&](const Condition& condition) {
        const auto found = texts.find(condition.id);
        if (found == texts.end())
            return shownWhen.size() == 1;
        const std::vector<std::string> have = pieces(found->second, ',');
        const bool holds = std::any_of(have.begin(), have.end(), [&](const std::string& value) {
            return std::find(condition.values.begin(), condition.values.end(), value) != condition.values.end();
        });
        return holds != condition.negated;
    });
}

std::vector<std::string> distinctOptions(const Parameter& parameter, const std::vector<std::string>& ids) {
    std::vector<std::string> chosen;
    for (const std::string& id : ids) {
        if (id.empty() || std::find(chosen.begin(), chosen.end(), id) != chosen.end()) {
            continue;
        }
        checkOption(parameter, id);
        chosen.push_back(id);
    }
    return chosen;
}

Value parseValue(const Parameter& parameter, std::string_view text) {
    Value value;
    switch (parameter.type) {
    case Parameter::Type::Integer:
        if (const auto number = parseNumber<int64_t>(text)) {
            value = *number;
            break;
        }
        refuse(parameter, text);
    case Parameter::Type::Real:
        if (const auto number = parseNumber<double>(text)) {
            value = *number;
            break;
        }
        refuse(parameter, text);
    case Parameter::Type::Flag:
        value = parseFlag(parameter, text);
        break;
    case Parameter::Type::Choice:
    case Parameter::Type::File:
    case Parameter::Type::Text:
        value = std::string(text);
        break;
    case Parameter::Type::Choices:
        value = distinctOptions(parameter, split(text, ','));
        break;
    case Parameter::Type::Sweep:
        value = text.find(':') == std::string_view::npos ? parseList(parameter, text) : parseRange(parameter, text);
        break;
    }
    checkValue(parameter, value);
    return value;
}

void checkValue(const Parameter& parameter, const Value& value) {
    const auto expect = [&]<class T>(const T*) -> const T& {
        const T* held = std::get_if<T>(&value);
        if (held == nullptr) {
            throw InputError(
                fmt::format("{}: expected {}, not a value of another type", parameter.id, expectation(parameter)));
        }
        return *held;
    };
    switch (parameter.type) {
    case Parameter::Type::Integer: {
        const int64_t number = expect(static_cast<int64_t*>(nullptr));
        checkRange(parameter, static_cast<double>(number), std::to_string(number));
        break;
    }
    case Parameter::Type::Real: {
        const double number = expect(static_cast<double*>(nullptr));
        checkRange(parameter, number, fmt::format("{}", number));
        break;
    }
    case Parameter::Type::Flag:
        expect(static_cast<bool*>(nullptr));
        break;
    case Parameter::Type::Choice:
        checkOption(parameter, expect(static_cast<std::string*>(nullptr)));
        break;
    case Parameter::Type::File: // the system would read it up to a zero
        if (const auto& file = expect(static_cast<std::string*>(nullptr));
            file.size() > longestFileName || file.find('\0') != std::string::npos)
            refuse(parameter, file);
        break;
    case Parameter::Type::Text:
        expect(static_cast<std::string*>(nullptr));
        break;
    case Parameter::Type::Choices: {
        const auto& chosen = expect(static_cast<std::vector<std::string>*>(nullptr));
        if (chosen.empty()) {
            refuse(parameter, "");
        }
        for (const std::string& id : chosen) {
            checkOption(parameter, id);
        }
        break;
    }
    case Parameter::Type::Sweep: {
        const auto& values = expect(static_cast<std::vector<int64_t>*>(nullptr));
        if (values.empty()) {
            refuse(parameter, "");
        }
        if (values.size() > maximumSweepLength) {
            refuseLength(parameter, fmt::format("a list of {} values", values.size()));
        }
        for (const int64_t number : values) {
            checkRange(parameter, static_cast<double>(number), std::to_string(number));
        }
        break;
    }
    }
}

std::string valueText(const Parameter&, const Value& value) {
    struct {
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(int64_t number) const { return std::to_string(number); }
        std::string operator()(double number) const { return fmt::format("{}", number); }
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(const std::vector<std::string>& ids) const {
            return fmt::format("{}", fmt::join(ids, ","));
        }
        std::string operator()(const std::vector<int64_t>& values) const { return sweepText(values); }
    } writer;
    return std::visit(writer, value);
}

Settings::Settings() = default;
Settings::Settings(const Settings&) = default;
Settings::Settings(Settings&&) noexcept = default;
Settings& Settings::operator=(const Settings&) = default;
Settings& Settings::operator=(Settings&&) noexcept = default;
Settings::~Settings() = default;

Settings::Settings(const std::vector<Parameter>& parameters, const std::map<std::string, Value>& given) {
    for (const Parameter& parameter : parameters) {
        all[parameter.id] = parameter.defaultValue;
    }
    for (const auto& [id, value] : given) {
        const auto known = std::find_if(parameters.begin(), parameters.end(),
                                        [&id = id](const Parameter& parameter) { return parameter.id == id; });
        if (known == parameters.end()) {
            std::vector<std::string> ids;
            for (const Parameter& parameter : parameters) {
                ids.push_back(parameter.id);
            }
            throw InputError(
                fmt::format("there is no setting \"{}\": the known ones are {}", echoed(id), fmt::join(ids, ", ")));
        }
        checkValue(*known, value);
        all[id] = value;
    }
}

bool Settings::flag(const std::string& id) const { return held<bool>(all, id); }
int64_t Settings::integer(const std::string& id) const { return held<int64_t>(all, id); }
double Settings::real(const std::string& id) const { return held<double>(all, id); }
const std::string& Settings::text(const std::string& id) const { return held<std::string>(all, id); }
const std::vector<std::string>& Settings::choices(const std::string& id) const {
    return held<std::vector<std::string>>(all, id);
}
const std::vector<int64_t>& Settings::sweep(const std::string& id) const { return held<std::vector<int64_t>>(all, id); }

Settings Settings::with(const std::map<std::string, Value>& others) const {
    Settings result = *this;
    for (const auto& [id, value] : others)
        result.all[id] = value;
    return result;
}

} // namespace warplight::lab
