// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/types.h>

namespace warplight::formats {

/// Throws InputError with one sentence when nothing could be written to `file`: a folder, a block device, a socket, a
/// file or a folder that does not allow it. Makes and opens nothing: for before a long run whose result goes there.
void checkWritable(const std::filesystem::path& file);

/// The same for a folder that is made when it is not there.
void checkWritableFolder(const std::filesystem::path& folder);

/// Equal for all names that lead to one place, by whatever way and links, whether anything is there yet or not. Throws
/// InputError as checkWritable does.
std::string placeKey(const std::filesystem::path& file);

/// A file that appears whole or not at all: written beside its own name, under none or a temporary one, and put in its
/// place by commit(). Without commit() nothing is left behind.
///
/// Of what stands there, only a regular file is replaced, and keeps its permissions; of a symbolic link it is the file
/// that it leads to. A character device (/dev/null) or a pipe is written to as it is.
class AtomicFile {
  public:
    /// Throws InputError as checkWritable does, and for a pipe that nobody reads.
    explicit AtomicFile(std::filesystem::path file);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    std::ofstream& stream() { return out; }
    /// Flushes and puts it in its place. Throws std::runtime_error naming the file when the disk is full or it cannot
    /// be put there.
    void commit();

  private:
    void openBeside(const std::filesystem::path& folder);
    std::filesystem::path numbered() const; ///< the file by the number under which it is open
    void keepPermissions();
    void giveUp();
    [[noreturn]] void failed(int error) const;

    std::filesystem::path named;     ///< as it was given
    std::filesystem::path target;    ///< behind all links
    std::filesystem::path temporary; ///< beside the target
    bool isNameless = false;         ///< has `temporary` only for the moment before it is in its place
    int descriptor = -1;             ///< of what is written; -1: the target itself, or it is done
    bool replaces = false;           ///< there is a regular file whose permissions stay
    mode_t permissions = 0;
    uid_t owner = 0;
    gid_t group = 0;
    std::ofstream out;
};

} // namespace warplight::formats
