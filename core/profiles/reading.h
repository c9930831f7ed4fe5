// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/error.h"

#include <atomic>
#include <functional>
#include <string>

namespace warplight::profiles {

/// How a reader tells where it is and hears that it shall stop.
struct Reading {
    std::string name; ///< of the file, for sentences
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(double fraction)> progress; ///< 0 to 1; called now and then, from the reading thread

    /// Called with every piece of the file. Throws Cancelled.
    void tick(double fraction) const {
        checkCancelled(cancel);
        if (progress)
            progress(fraction);
    }
};

} // namespace warplight::profiles
