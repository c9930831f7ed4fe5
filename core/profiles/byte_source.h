// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/profiles/reading.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace warplight::profiles {

/// Bytes in order, a piece at a time: parsers never hold a whole file.
class ByteSource {
  public:
    virtual ~ByteSource() = default;
    /// At most `most` bytes; 0 only at the end.
    virtual size_t read(char* to, size_t most) = 0;
    virtual double fraction() const { return 0; } ///< how much of the file has been read, 0 to 1
    /// Why the end came too early, as the end of a sentence; empty if it did not.
    virtual std::string damage() const { return {}; }
};

/// A file, plain or gzip. Throws InputError naming a file that cannot be opened or read; a gzip file that is cut or
/// damaged ends where it can no longer be unpacked, and says so in damage().
std::unique_ptr<ByteSource> openFile(const std::string& file);

/// Text in memory, which must outlive the source.
class TextSource : public ByteSource {
  public:
    explicit TextSource(std::string_view all) : text(all) {}
    size_t read(char* to, size_t most) override;
    double fraction() const override;

  private:
    std::string_view text;
    size_t at = 0;
};

/// A source whose first bytes can be looked at before they are read, and that tells how far it is with every piece.
class PeekSource : public ByteSource {
  public:
    PeekSource(ByteSource& from, const Reading& r) : source(from), reading(r) {}
    std::string_view peek(size_t most); ///< fewer only at the end
    size_t read(char* to, size_t most) override;
    double fraction() const override { return source.fraction(); }
    std::string damage() const override { return source.damage(); }

  private:
    size_t next(char* to, size_t most);

    ByteSource& source;
    const Reading& reading;
    std::string head;
    size_t given = 0;
};

} // namespace warplight::profiles
