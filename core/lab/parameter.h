// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace warplight::lab {

/// One setting's value. Which alternative is held follows from the parameter's type:
/// Integer int64_t, Real double, Flag bool, Choice/File/Text string, Choices vector<string>, Sweep vector<int64_t>.
using Value = std::variant<bool, int64_t, double, std::string, std::vector<std::string>, std::vector<int64_t>>;

/// A setting has one of some values, or has none of them.
struct Condition {
    std::string id;                  ///< of the setting; "device": of the run, "cuda" for any NVIDIA GPU
    std::vector<std::string> values; ///< as text; of a list one entry has to be among them
    bool negated = false;
};
Condition when(std::string id, std::vector<std::string> values);
Condition unless(std::string id, std::vector<std::string> values);

/// One knob of an experiment: the single source for the settings form, the command line, validation and `describe`.
struct Parameter {
    enum class Type { Integer, Real, Flag, Choice, Choices, File, Text, Sweep };
    struct Option {
        std::string id;    ///< as written on the command line
        std::string title; ///< as shown
        std::string doc;
    };

    // Defined once, in parameter.cpp.
    Parameter();
    Parameter(const Parameter&);
    Parameter(Parameter&&) noexcept;
    Parameter& operator=(const Parameter&);
    Parameter& operator=(Parameter&&) noexcept;
    ~Parameter();

    std::string id;    ///< "seqLen"
    std::string title; ///< "Sequence length"
    std::string unit;  ///< "keys", "ms", or empty
    std::string doc;   ///< one sentence: what turning it does
    std::string group; ///< heading in the form; parameters of a group are neighbours
    Type type = Type::Integer;
    Value defaultValue;
    std::optional<double> minimum, maximum; ///< inclusive; for a Sweep of each element
    double sliderStep = 0;            ///< the form has a slider that moves so far; 0: none. Other values stay legal
    bool powersOfTwo = false;         ///< the slider moves in powers of two instead
    bool multiline = false;           ///< Text: the form edits it in a window of its own
    bool advanced = false;            ///< folded away at first
    bool live = false;                ///< a run that is going on follows it (Run::current)
    std::vector<Option> options;      ///< Choice and Choices
    std::string fileFilter;           ///< File: "Tensors (*.npy *.npz *.safetensors)"
    std::vector<Condition> shownWhen; ///< it matters when any of them holds; empty: always
    /// Whether it matters beside these settings (ids and their values as text).
    bool mattersIn(const std::map<std::string, std::string>& texts) const;

    static Parameter integer(std::string id, std::string title, int64_t value, double minimum, double maximum,
                             std::string doc);
    static Parameter real(std::string id, std::string title, double value, double minimum, double maximum,
                          std::string doc);
    static Parameter flag(std::string id, std::string title, bool value, std::string doc);
    static Parameter choice(std::string id, std::string title, std::string value, std::vector<Option> options,
                            std::string doc);
    static Parameter choices(std::string id, std::string title, std::vector<std::string> value,
                             std::vector<Option> options, std::string doc);
    static Parameter file(std::string id, std::string title, std::string filter, std::string doc);
    static Parameter text(std::string id, std::string title, std::string value, std::string doc);
    static Parameter sweep(std::string id, std::string title, std::vector<int64_t> value, double minimum,
                           double maximum, std::string doc);
};

/// Reads a value as written on a command line: "4096", "0.125", "true", "flash,standard", a sweep "256:16384:x2",
/// "64:512:+64" or "a,b,c". Throws InputError naming the parameter, its range or its options.
Value parseValue(const Parameter& parameter, std::string_view text);

/// Those ids that are not empty, each once; throws InputError for one that is no option of the parameter.
std::vector<std::string> distinctOptions(const Parameter& parameter, const std::vector<std::string>& ids);

/// Throws InputError when the value's type, range or option is wrong for the parameter.
void checkValue(const Parameter& parameter, const Value& value);

/// The shortest text that parseValue reads back as the same value: "256:16384:x2" for a doubling sweep.
std::string valueText(const Parameter& parameter, const Value& value);

/// Checked values for all parameters of one experiment.
class Settings {
  public:
    Settings();
    Settings(const Settings&);
    Settings(Settings&&) noexcept;
    Settings& operator=(const Settings&);
    Settings& operator=(Settings&&) noexcept;
    ~Settings();
    /// Defaults of every parameter, then `given` over them. Throws InputError for an unknown id (naming the known ones)
    /// or a bad value.
    Settings(const std::vector<Parameter>& parameters, const std::map<std::string, Value>& given);

    bool flag(const std::string& id) const;
    int64_t integer(const std::string& id) const;
    double real(const std::string& id) const;
    const std::string& text(const std::string& id) const; ///< Choice, File, Text
    const std::vector<std::string>& choices(const std::string& id) const;
    const std::vector<int64_t>& sweep(const std::string& id) const;
    const std::map<std::string, Value>& values() const { return all; }
    /// With others in the place of some; they have been checked.
    Settings with(const std::map<std::string, Value>& others) const;

    bool operator==(const Settings&) const = default;

  private:
    std::map<std::string, Value> all;
};

} // namespace warplight::lab
