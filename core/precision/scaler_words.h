// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

namespace warplight::precision {

/// Words, numbers and marks of a line of a log. What joins the parts of a name ("train/loss_scale.g") is no mark.
class ScalerWords {
  public:
    enum class Kind { Word, Number, Mark };
    struct Token {
        Kind kind;
        std::string_view text; ///< an arrow of whatever form is "->"
        double number = 0;
        bool whole = false;  ///< a number without point or exponent
        bool glued = false;  ///< nothing stands before it
        bool joined = false; ///< it goes on with the name before it
    };

    /// `lowerCase` must outlive this. Of a very long line only the beginning is looked at.
    explicit ScalerWords(std::string_view lowerCase);

    size_t size() const { return tokens.size(); }
    const Token& at(size_t i) const { return tokens[i]; }
    /// Empty where there is no word.
    std::string_view word(size_t i) const;
    bool isWord(size_t i, std::initializer_list<std::string_view> words) const;
    bool isMark(size_t i, std::string_view marks) const; ///< one of these characters
    bool isNumber(size_t i) const { return i < size() && tokens[i].kind == Kind::Number; }
    bool goesOn(size_t i) const { return i < size() && tokens[i].joined; } ///< with the name before it
    /// Whether one of these is among the `most` words before i, with nothing else between them and it.
    bool behind(size_t i, size_t most, std::initializer_list<std::string_view> words) const;
    /// Whether one of these is among the last `before` words before i or the next `after` behind it.
    bool near(size_t i, size_t before, size_t after, std::initializer_list<std::string_view> words) const;
    bool contains(std::initializer_list<std::string_view> words) const;
    bool containsStart(std::initializer_list<std::string_view> starts) const; ///< a word that begins so

    /// The value that `name: value` or `"name" = value` has, where i is behind the name: a number, or the words true
    /// and false as 1 and 0.
    struct Value {
        double number = 0;
        bool boolean = false;
    };
    std::optional<Value> valueAt(size_t i) const;

    /// The same for lines that differ in numbers and marks only, or in what stands before the first word that begins
    /// with one of these.
    size_t shape(std::initializer_list<std::string_view> starts) const;

  private:
    std::vector<Token> tokens;
};

} // namespace warplight::precision
