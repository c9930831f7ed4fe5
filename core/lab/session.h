// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/record.h"

#include <atomic>
#include <filesystem>
#include <istream>
#include <string>
#include <vector>

namespace warplight::lab {

/// The `.warplight` file: "WARPLIGHT 1\n", then records of u32 length, u32 CRC-32 of the payload (both little
/// endian), payload = one encoded frame; the last record is a closing mark that counts the frames. docs/protocol.md.
struct Session {
    std::vector<RunRecord> runs;
    /// Empty when the file was whole; else one sentence: what is missing ("the file ends in the middle of frame 12 of
    /// run 2 (Race): the figures up to there are shown").
    std::string damage;
};

/// Writes all runs; to a temporary name first, then renamed. Throws std::runtime_error naming the file.
void saveSession(const std::filesystem::path& file, const std::vector<const RunRecord*>& runs);

/// Reads as far as the file is whole. Throws InputError only when there is nothing to show: no such file, not a
/// session, one of a newer version, one without runs; Cancelled.
Session openSession(const std::filesystem::path& file, const std::atomic<bool>* cancel = nullptr);
Session readSession(std::istream& stream, const std::string& nameForMessages,
                    const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::lab
