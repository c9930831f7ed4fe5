// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string_view>

namespace warplight::profiles {

/// A kernel's name taken apart, C++ as profilers print it or mangled. All are parts of the text given.
struct NameParts {
    std::string_view path;      ///< with namespaces, without return type, template arguments and parameters
    std::string_view base;      ///< the last word of the path
    std::string_view arguments; ///< from the `<` of the template arguments, mangled `I`, to the end; may be empty
    std::string_view runs;      ///< of a wrapper that any kernel may run in: what it runs; else empty
    bool wrapper = false;       ///< one whose own name tells nothing beside `runs`
};
NameParts partsOf(std::string_view kernel);

/// Whether a table cut the end of the name off.
bool isCut(std::string_view kernel);
/// "f<int, a…" of "f<int, a… (2)", as names are numbered that were cut alike; any other name as it is.
std::string_view withoutNumber(std::string_view kernel);

/// Calls with each identifier among template arguments, as `arguments` has them, and whether it is a template itself.
void forEachWord(std::string_view arguments, const std::function<void(std::string_view word, bool isTemplate)>& call);

/// Whether this byte is part of a word: letters, digits, `_`, `$`, and all of other scripts.
bool isWord(char c);

} // namespace warplight::profiles
