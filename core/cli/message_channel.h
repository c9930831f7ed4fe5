// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json.hpp>

#include <mutex>
#include <optional>
#include <stdexcept>

namespace warplight::cli {

/// Answers cannot be written: the disk behind them is full. One sentence.
struct OutputError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
/// Nobody reads the answers any more: no failure.
struct ClientGone : OutputError {
    ClientGone() : OutputError("the client no longer reads") {}
};

/// Length-prefixed CBOR messages over two file descriptors (docs/protocol.md). Reading is for one thread; writing is
/// safe from any.
class MessageChannel {
  public:
    MessageChannel(int input, int output) : input(input), output(output) {}

    /// The next message; nothing at the end of the input. Throws InputError for a length or payload that is no message.
    std::optional<nlohmann::json> read();
    /// Throws ClientGone when the other side no longer reads, else OutputError.
    void write(const nlohmann::json& message);

  private:
    int input, output;
    std::mutex writing;
};

} // namespace warplight::cli
