// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <stdexcept>
#include <string>

namespace warplight {

/// Something the user gave cannot be used: a file, a field, a setting. The message is one sentence that names the file,
/// the field and what was expected. At the process's edge it becomes exit code 2, or a `failed` answer on the protocol.
struct InputError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The run was asked to stop. Thrown by whoever notices first; it is no failure and carries no message for the user.
struct Cancelled : std::runtime_error {
    Cancelled() : std::runtime_error("cancelled") {}
};

inline void checkCancelled(const std::atomic<bool>* cancel) {
    if (cancel && cancel->load(std::memory_order_relaxed))
        throw Cancelled();
}

/// A GPU takes no further work from this process: a kernel ran out of bounds, or the GPU is gone. One sentence, the
/// same at every later call. Only a new process gets the GPU back; at the process's edge it becomes exit code 1.
struct DeviceLost : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace warplight
