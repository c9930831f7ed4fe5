// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/byte_source.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::profiles {

/// The text is not JSON here, or ends. Readers catch it and keep what came before.
struct JsonDamage {
    int64_t offset = 0;
    bool atEnd = false; ///< the text ends inside a value
    std::string expected;
};

/// Reads JSON values in order from a stream, holding one piece of it: what is not asked for is passed over at the speed
/// of a byte scan. Tolerates raw control characters inside strings, NaN and ±Infinity as numbers, and commas before a
/// closing bracket. No recursion: depth costs nothing.
class JsonScanner {
  public:
    explicit JsonScanner(ByteSource& source);

    /// The first character of the next value or bracket, not consumed; 0 at the end.
    char peek();
    /// Whether this character comes next; consumes it then.
    bool accept(char c);
    void expect(char c); ///< throws JsonDamage
    /// After `{`: reads a key and its colon; false at `}`, which is consumed.
    bool nextKey(std::string& key);
    /// After `[`: whether an element follows; false at `]`, which is consumed.
    bool nextElement();
    /// A string, unescaped; at most `longest` bytes of it are kept.
    void readString(std::string& text, size_t longest = 1 << 16);
    /// A number, true, false, null or NaN as it is written; of a string its contents.
    void readScalar(std::string& text);
    void skipValue();
    /// From inside an object or list to behind its end.
    void skipToEnd();
    /// Passes over everything up to and including this text; false at the end of the stream.
    bool seek(std::string_view text);

    int64_t offset() const { return before + static_cast<int64_t>(at); }

  private:
    bool refill();
    char next() { // 0 at the end, which is no character of JSON
        return at < end || refill() ? buffer[at++] : '\0';
    }
    void skipString(); ///< after its opening quote
    [[noreturn]] void damaged(std::string expected);

    ByteSource& source;
    std::vector<char> buffer;
    size_t at = 0, end = 0;
    int64_t before = 0; ///< bytes of the stream before the buffer
};

} // namespace warplight::profiles
