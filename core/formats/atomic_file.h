#pragma once

#include <filesystem>
#include <fstream>

namespace warplight::formats {

/// A file that appears whole or not at all: written under a temporary name beside its own, renamed by commit().
/// Without commit() nothing is left behind.
class AtomicFile {
  public:
    /// Throws InputError naming the file when its folder cannot be written.
    explicit AtomicFile(std::filesystem::path file);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    std::ofstream& stream() { return out; }
    /// Flushes and renames. Throws std::runtime_error naming the file when the disk is full or the rename fails.
    void commit();

  private:
    std::filesystem::path target, temporary;
    std::ofstream out;
};

} // namespace warplight::formats
