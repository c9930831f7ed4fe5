// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace warplight::formats {

/// A file's bytes, mapped read-only: nothing is read before it is looked at.
class MappedFile {
  public:
    /// Throws InputError naming the file when it cannot be opened.
    explicit MappedFile(const std::string& file);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(begin), size}; }

  private:
    void* begin = nullptr;
    size_t size = 0;
};

} // namespace warplight::formats
