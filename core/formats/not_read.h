// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/error.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::formats {

/// What lies in a file beside the tensors and is not read, and what it is: "text", "pickled objects", "C64".
struct NotRead {
    std::string name, what;
};

/// "obj (pickled objects), name (text)", so many of them at most, then how many more there are.
std::string listed(std::span<const NotRead> others, size_t most = 100);

/// A sound .npy of a type that is not read.
struct UnreadType : InputError {
    UnreadType(const std::string& sentence, std::string held) : InputError(sentence), meaning(std::move(held)) {}
    std::string meaning; ///< NotRead::what
};

/// What arrays of such a descr hold, in the words of NumPy's manual: "text" for <U4, "complex numbers" for <c8.
std::string meaningOfDescr(std::string_view descr);

} // namespace warplight::formats
