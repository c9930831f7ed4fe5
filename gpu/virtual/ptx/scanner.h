// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace warplight::ptx {

/// Walks over PTX text: words and single characters, with blanks and comments skipped.
class Scanner {
  public:
    Scanner(std::string_view text, std::string file);

    bool atEnd();
    char peek();
    int line(); ///< of what comes next
    bool accept(char c);
    bool acceptWord(std::string_view word);
    void expect(char c);
    /// Letters, digits, _ $ % and dots, and :: inside; empty if something else comes.
    std::string word();
    std::string_view peekWord();
    std::string quoted(); ///< "..." without the quotes
    void skipTo(char c);  ///< past the next c
    [[noreturn]] void fail(const std::string& expected);
    const std::string& file() const { return fileName; }

  private:
    void skipBlanks();
    std::string_view text;
    std::string fileName;
    size_t at = 0;
    int currentLine = 1;
};

} // namespace warplight::ptx
