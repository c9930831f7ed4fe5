// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/message_channel.h"

#include "core/error.h"
#include "core/lab/cbor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>
#include <vector>

namespace warplight::cli {
namespace {

constexpr uint32_t longestMessage = 256u << 20;

/// Reads exactly `count` bytes; returns how many there were before the end.
size_t readFully(int descriptor, void* to, size_t count) {
    size_t had = 0;
    while (had < count) {
        const ssize_t got = ::read(descriptor, static_cast<char*>(to) + had, count - had);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        had += static_cast<size_t>(got);
    }
    return had;
}

void writeFully(int descriptor, const void* from, size_t count) {
    for (size_t done = 0; done < count;) {
        const ssize_t put = ::write(descriptor, static_cast<const char*>(from) + done, count - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EPIPE)
            throw ClientGone();
        if (put <= 0)
            throw OutputError(fmt::format("standard output: writing failed ({})", std::strerror(errno)));
        done += static_cast<size_t>(put);
    }
}

} // namespace

std::optional<nlohmann::json> MessageChannel::read() {
    std::array<unsigned char, 4> prefix{};
    const size_t had = readFully(input, prefix.data(), prefix.size());
    if (had == 0)
        return std::nullopt;
    const uint32_t length = prefix[0] | static_cast<uint32_t>(prefix[1]) << 8 | static_cast<uint32_t>(prefix[2]) << 16 |
                            static_cast<uint32_t>(prefix[3]) << 24;
    if (had < prefix.size() || length > longestMessage)
        throw InputError(
            fmt::format("standard input: a message of {} bytes, expected at most {} (see docs/protocol.md)", length,
                        longestMessage));
    std::vector<std::byte> payload;
    constexpr size_t piece = 1 << 20; // a length that lies must not ask for memory
    while (payload.size() < length) {
        const size_t before = payload.size(), want = std::min<size_t>(piece, length - before);
        payload.resize(before + want);
        if (readFully(input, payload.data() + before, want) != want)
            throw InputError("standard input: ended in the middle of a message");
    }
    nlohmann::json message = lab::fromCbor(payload);
    if (!message.is_object() || !message.contains("type") || !message["type"].is_string())
        throw InputError("standard input: a message without 'type', expected a map as docs/protocol.md describes");
    return message;
}

void MessageChannel::write(const nlohmann::json& message) {
    const auto payload = lab::toCbor(message);
    const auto length = static_cast<uint32_t>(payload.size());
    std::array<unsigned char, 4> prefix{static_cast<unsigned char>(length), static_cast<unsigned char>(length >> 8),
                                        static_cast<unsigned char>(length >> 16),
                                        static_cast<unsigned char>(length >> 24)};
    const std::lock_guard lock(writing);
    writeFully(output, prefix.data(), prefix.size());
    writeFully(output, payload.data(), payload.size());
}

} // namespace warplight::cli
