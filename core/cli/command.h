// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace CLI { // seen by command.cpp alone: it takes long to compile
class App;
class Option;
} // namespace CLI

namespace warplight::cli {

/// Of --threads; 0 stands for all that the machine has.
inline constexpr int64_t mostThreads = 1024;

/// One thing that can be given to a command.
class Option {
  public:
    explicit Option(CLI::Option* of) : it(of) {}
    Option required() const;
    Option oneOf(const std::vector<std::string>& values) const;
    Option between(int64_t low, int64_t high) const; ///< of a whole number
    Option between(double low, double high) const;   ///< of a number that need not be whole
    /// `complaint` returns what is wrong with a value, or nothing.
    Option check(const std::function<std::string(const std::string& value)>& complaint) const;
    Option excludes(Option other) const;
    Option withDefaultInHelp() const;
    Option oneValueEachTime() const; ///< of a list: `--set a b` gives it a alone
    bool given() const;

  private:
    CLI::Option* it;
};

/// A command, its options, the commands below it and what it does. A copy is the same command; all live as long as
/// their CommandLine.
class Command {
  public:
    /// Where the value of an option goes. It is left as it is, the default, unless the option is given.
    using Target = std::variant<std::string*, std::vector<std::string>*, int*, int64_t*, uint64_t*, double*,
                                std::optional<std::string>*, std::optional<int64_t>*, std::optional<uint64_t>*,
                                std::optional<double>*>;
    using Works = std::vector<std::pair<CLI::App*, std::function<int()>>>;

    Command(CLI::App* of, Works& all) : it(of), works(&all) {}
    Command command(const std::string& name, const std::string& doc) const;
    /// `names` as "-o,--out"; without dashes what stands at that place on the line. What a number's type cannot hold
    /// is refused, and so is what is not a number to its last character.
    Option option(const std::string& names, Target target, const std::string& doc) const;
    /// "!--no-name" sets it to false.
    void flag(const std::string& names, bool& target, const std::string& doc) const;
    void needsCommand() const;
    void needsOneOf(Option a, Option b, const std::string& names) const;
    /// What is done when it has been given, once all of the line is known: returns the exit code.
    void does(std::function<int()> work) const;

  private:
    CLI::App* it;
    Works* works;
};

/// The whole command line of a program.
class CommandLine {
  public:
    CommandLine(const std::string& name, const std::string& version, const std::string& doc);
    ~CommandLine();
    Command all();
    /// Fills the targets. Returns the exit code when --help or --version was asked for and printed. Throws InputError
    /// with one sentence.
    std::optional<int> parse(int argc, char** argv);
    /// Does what the command that was given does; its exit code.
    int run() const;

  private:
    std::unique_ptr<CLI::App> app;
    Command::Works works;
};

} // namespace warplight::cli
