// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/record.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <string>
#include <vector>

namespace warplight::formats {
class AtomicFile;
}

namespace warplight::lab {

/// The `.warplight` file: "WARPLIGHT 1\n", then records of u32 length, u32 CRC-32 of the payload (both little
/// endian), payload = one encoded frame; the last record is a closing mark that counts the frames. docs/protocol.md.
struct Session {
    std::vector<RunRecord> runs;
    /// Empty when the file was whole and holds nothing else; else one sentence: what is missing or too much, and up to
    /// where the runs are.
    std::string damage;
};

/// Writes a session frame by frame; the file appears whole when it is finished, or not at all.
class SessionWriter {
  public:
    explicit SessionWriter(const std::filesystem::path& file); ///< throws InputError where nothing can be written
    ~SessionWriter();
    void add(const Frame& frame);
    void finish(); ///< throws std::runtime_error naming the file when the disk is full

  private:
    std::unique_ptr<formats::AtomicFile> out;
    uint64_t count = 0;
};

/// Writes all runs with a SessionWriter, and throws as it does.
void saveSession(const std::filesystem::path& file, const std::vector<const RunRecord*>& runs);

/// Reads as far as the file is whole. Throws InputError only when there is nothing to show: no such file, not a
/// session, one of a newer version, one without runs; Cancelled.
Session openSession(const std::filesystem::path& file, const std::atomic<bool>* cancel = nullptr);
Session readSession(std::istream& stream, const std::string& nameForMessages,
                    const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::lab
