#pragma once

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

} // namespace warplight
