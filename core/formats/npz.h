#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace warplight::formats {

/// Names of the arrays in a .npz (members without their .npy), in the order of the archive; others are ignored.
std::vector<std::string> npzNames(const std::string& file);

/// The bytes of one member's .npy, stored or deflated; an empty name is right when there is only one array.
/// Throws InputError naming the file and the arrays it has.
std::vector<std::byte> readNpzMember(const std::string& file, const std::string& name);

} // namespace warplight::formats
