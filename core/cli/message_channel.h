#pragma once

#include <nlohmann/json.hpp>

#include <mutex>
#include <optional>

namespace warplight::cli {

/// Length-prefixed CBOR messages over two file descriptors (docs/protocol.md). Reading is for one thread; writing is
/// safe from any.
class MessageChannel {
  public:
    MessageChannel(int input, int output) : input(input), output(output) {}

    /// The next message; nothing at the end of the input. Throws InputError for a length or payload that is no message.
    std::optional<nlohmann::json> read();
    /// Throws std::runtime_error when the other side no longer reads.
    void write(const nlohmann::json& message);

  private:
    int input, output;
    std::mutex writing;
};

} // namespace warplight::cli
