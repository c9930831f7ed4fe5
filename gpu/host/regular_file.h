// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace warplight {

/// Throws InputError when `file` cannot be opened or is no regular file: pipes make a reader wait, devices such as
/// /dev/zero never end. `expected` ends the sentence: "a tensor file that can be read". Returns its size in bytes.
int64_t requireRegularFile(const std::string& file, const std::string& expected);

/// All of a regular file of at most `most` bytes. Throws InputError as above and for a longer one, Cancelled.
std::string contentsOfFile(const std::string& file, int64_t most, const std::string& expected,
                           const std::atomic<bool>* cancel = nullptr);

} // namespace warplight
