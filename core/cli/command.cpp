// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/command.h"

#include "core/error.h"
#include "core/text/echo.h"

#include <CLI/CLI.hpp>

namespace warplight::cli {

Option Option::required() const {
    it->required();
    return *this;
}
Option Option::oneOf(const std::vector<std::string>& values) const {
    it->check(CLI::IsMember(values));
    return *this;
}
Option Option::between(int64_t low, int64_t high) const {
    it->check(CLI::Range(low, high));
    return *this;
}
Option Option::between(double low, double high) const {
    it->check(CLI::Range(low, high));
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
    return std::visit([&](auto* value) { return Option(it->add_option(names, *value, doc)); }, target);
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
    try {
        app->parse(argc, argv);
        return {};
    } catch (const CLI::Success& asked) {
        return app->exit(asked);
    } catch (const CLI::ParseError& error) {
        throw InputError(sentenceOf(error));
    }
}

int CommandLine::run() const {
    for (const auto& [command, work] : works)
        if (command->parsed())
            return work();
    return 0;
}

} // namespace warplight::cli
