// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/command.h"

#include "core/error.h"
#include "core/precision/stored.h"
#include "core/text/echo.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace warplight::cli {
namespace {

/// All of a text as a number; nothing where it is none or the type cannot hold it.
template <class Number>
std::optional<Number> numberFrom(const std::string& text) {
    if constexpr (std::is_same_v<Number, double>) {
        try {
            return precision::numberFrom(text, "");
        } catch (const InputError&) {
            return std::nullopt;
        }
    } else {
        const bool signedUp = text.size() > 1 && text[0] == '+' && text[1] != '-';
        const char *begin = text.data() + (signedUp ? 1 : 0), *end = text.data() + text.size();
        Number value = 0;
        const auto [stop, error] = std::from_chars(begin, end, value);
        return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
    }
}

constexpr const char* rangeName = "range"; // of the check that every number has

/// CLI11's own conversion wraps what is below 0, clips what is too large and takes 010 for 8.
template <class Number>
CLI::Validator numberBetween(Number low, Number high, const std::string& inHelp = {}) {
    constexpr bool whole = std::is_integral_v<Number>;
    const bool bounded = whole || std::numeric_limits<Number>::lowest() < low;
    const auto complaint = [=](const std::string& text) {
        const auto value = numberFrom<Number>(text);
        if (value && (!bounded || (low <= *value && *value <= high)))
            return std::string();
        return fmt::format("expected a {}number{}, not \"{}\"", whole ? "whole " : "",
                           bounded ? fmt::format(" from {} to {}", low, high) : "", echoed(text));
    };
    return CLI::Validator(complaint, inHelp, rangeName);
}

template <class Value>
struct TypeOf {
    using Bare = Value;
};
template <class Value>
struct TypeOf<std::optional<Value>> {
    using Bare = Value;
};

/// A number that its check has let through.
template <class Value>
CLI::Option* addNumber(CLI::App& app, const std::string& names, Value& value, const std::string& doc) {
    using Number = typename TypeOf<Value>::Bare;
    using Limits = std::numeric_limits<Number>;
    const auto take = [&value](const CLI::results_t& given) {
        const auto number = numberFrom<Number>(given.front());
        if (number)
            value = *number;
        return number.has_value();
    };
    const auto text = [&value] {
        if constexpr (std::is_same_v<Value, Number>)
            return fmt::format("{}", value);
        else
            return value ? fmt::format("{}", *value) : std::string();
    };
    return app.add_option(names, take, doc, false, text)
        ->type_name(CLI::detail::type_name<Number>())
        ->check(numberBetween(Limits::lowest(), Limits::max()));
}

/// Before words that CLI11 would take for options, though they are numbers: nobody types it.
constexpr char valueMark = '\x1F';

/// -inf, -nan or -.5; behind a digit, as in -1e-8, CLI11 knows a number.
bool looksLikeAnOption(const std::string& word) {
    return word.size() > 1 && word[0] == '-' && !std::isdigit(static_cast<unsigned char>(word[1])) &&
           numberFrom<double>(word);
}

std::string withoutMark(std::string text) {
    text.erase(std::remove(text.begin(), text.end(), valueMark), text.end());
    return text;
}

} // namespace

Option Option::required() const {
    it->required();
    return *this;
}
Option Option::oneOf(const std::vector<std::string>& values) const {
    it->check(CLI::IsMember(values));
    return *this;
}
Option Option::between(int64_t low, int64_t high) const {
    *it->get_validator(rangeName) = numberBetween(low, high, fmt::format("INT in [{} - {}]", low, high));
    return *this;
}
Option Option::between(double low, double high) const {
    *it->get_validator(rangeName) = numberBetween(low, high, fmt::format("FLOAT in [{} - {}]", low, high));
    return *this;
}
Option Option::check(const std::function<std::string(const std::string&)>& complaint) const {
    it->check(complaint);
    return *this;
}
Option Option::excludes(Option other) const {
    it->excludes(other.it);
    return *this;
}
Option Option::withDefaultInHelp() const {
    it->capture_default_str();
    return *this;
}
Option Option::oneValueEachTime() const {
    it->allow_extra_args(false);
    return *this;
}
bool Option::given() const { return it->count() > 0; }

Command Command::command(const std::string& name, const std::string& doc) const {
    return Command(it->add_subcommand(name, doc), *works);
}
Option Command::option(const std::string& names, Target target, const std::string& doc) const {
    if (names == "--h") // since 2.4 CLI11 takes it for the -h of help
        it->set_help_flag("--help", "Print this help message and exit");
    CLI::Option* option = std::visit(
        [&](auto* value) {
            using Value = std::remove_reference_t<decltype(*value)>;
            if constexpr (std::is_arithmetic_v<typename TypeOf<Value>::Bare>)
                return addNumber(*it, names, *value, doc);
            else
                return it->add_option(names, *value, doc);
        },
        target);
    option->transform(withoutMark);
    return Option(option);
}
void Command::flag(const std::string& names, bool& target, const std::string& doc) const {
    it->add_flag(names, target, doc);
}
void Command::needsCommand() const { it->require_subcommand(1); }
void Command::needsOneOf(Option a, Option b, const std::string& names) const {
    it->final_callback([=] {
        if (!a.given() && !b.given())
            throw CLI::RequiredError(names);
    });
}
void Command::does(std::function<int()> work) const { works->emplace_back(it, std::move(work)); }

CommandLine::CommandLine(const std::string& name, const std::string& version, const std::string& doc)
    : app(std::make_unique<CLI::App>(doc, name)) {
    app->set_version_flag("--version", version);
}
CommandLine::~CommandLine() = default;

Command CommandLine::all() { return Command(app.get(), works); }

std::optional<int> CommandLine::parse(int argc, char** argv) {
    std::vector<std::string> words(argv, argv + argc);
    for (std::string& word : words)
        if (looksLikeAnOption(word))
            word.insert(0, 1, valueMark);
    std::vector<const char*> marked;
    for (const std::string& word : words)
        marked.push_back(word.c_str());
    try {
        app->parse(argc, marked.data());
        return {};
    } catch (const CLI::Success& asked) {
        return app->exit(asked);
    } catch (const CLI::ParseError& error) {
        throw InputError(withoutMark(sentenceOf(error)));
    }
}

int CommandLine::run() const {
    for (const auto& [command, work] : works)
        if (command->parsed())
            return work();
    return 0;
}

} // namespace warplight::cli
