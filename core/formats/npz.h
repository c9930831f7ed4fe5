// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace warplight::formats {

/// Names of the arrays in a .npz (members without their .npy), in the order of the archive; others are ignored.
std::vector<std::string> npzNames(const std::string& file);

/// Names of the members that are no arrays, folders apart.
std::vector<std::string> npzOthers(const std::string& file);

/// The bytes of one member's .npy, stored or deflated; an empty name is right when there is only one array.
/// Throws InputError naming the file and the arrays it has, and when there is not enough memory; Cancelled.
std::vector<std::byte> readNpzMember(const std::string& file, const std::string& name,
                                     const std::atomic<bool>* cancel = nullptr);

/// The same of an archive in memory; `where` names it in sentences.
std::vector<std::byte> readNpzMember(std::span<const std::byte> archive, const std::string& where,
                                     const std::string& name);

/// The same piece by piece (at most 1 MiB), without ever holding the whole. Throws as readNpzMember does.
void streamNpzMember(const std::string& file, const std::string& name,
                     const std::function<void(std::span<const std::byte>)>& use,
                     const std::atomic<bool>* cancel = nullptr);

/// Only as much of it, from its beginning, as its header says that the header takes: nothing else is unpacked.
std::vector<std::byte> readNpzHeader(const std::string& file, const std::string& name);

/// Writes an archive of stored members, each the bytes of a .npy under its name; NumPy's np.load opens it. The file
/// appears whole or not at all. Throws as AtomicFile does.
void writeNpz(const std::string& file, const std::map<std::string, std::string>& arrays);

} // namespace warplight::formats
