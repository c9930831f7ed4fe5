// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/error.h"

#include <string>

namespace warplight::test {

/// What an action says when it throws InputError; "" when it does not.
template <class Action>
std::string sentenceOf(const Action& action) {
    try {
        action();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace warplight::test
