// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace warplight::formats {

/// Refuses what stands under a tensor file's name and is none: an empty file, a Git LFS pointer whose data was not
/// fetched, an HTML page or a message in JSON or plain text that a download left, a file of another format. Throws
/// InputError that says what it is and what helps; looks at the file's first bytes only.
void refuseForeign(const std::string& file);

/// What the first bytes of a file say that it is, as the end of "the file is ..."; empty when they may be `ending`'s
/// (".npy", ".npz", ".safetensors", ".json").
std::string foreignKind(std::span<const std::byte> start, const std::string& ending);

} // namespace warplight::formats
