// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/session.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/lab/cbor.h"
#include "core/lab/json.h"
#include "core/tensor/pieces.h"
#include "core/text/counted.h"
#include "core/text/echo.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fmt/format.h>
#include <fstream>
#include <ios>
#include <optional>
#include <ostream>
#include <span>
#include <string_view>
#include <variant>
#include <zlib.h>

namespace warplight::lab {
namespace {

constexpr std::string_view magic = "WARPLIGHT ";
constexpr std::string_view header = "WARPLIGHT 1\n";
constexpr uint32_t largestRecord = 256u << 20; ///< as in the protocol

uint32_t checksum(std::span<const std::byte> payload) {
    return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(payload.data()), payload.size()));
}

void writeNumber(std::ostream& out, uint32_t number) {
    const std::array<char, 4> bytes{static_cast<char>(number), static_cast<char>(number >> 8),
                                    static_cast<char>(number >> 16), static_cast<char>(number >> 24)};
    out.write(bytes.data(), bytes.size());
}

std::optional<uint32_t> readNumber(std::istream& in) {
    std::array<unsigned char, 4> b{};
    if (!in.read(reinterpret_cast<char*>(b.data()), b.size()))
        return std::nullopt;
    return b[0] | static_cast<uint32_t>(b[1]) << 8 | static_cast<uint32_t>(b[2]) << 16 |
           static_cast<uint32_t>(b[3]) << 24;
}

void writeRecord(std::ostream& out, std::span<const std::byte> payload) {
    writeNumber(out, static_cast<uint32_t>(payload.size()));
    writeNumber(out, checksum(payload));
    out.write(reinterpret_cast<const char*>(payload.data()), static_cast<std::streamsize>(payload.size()));
}

/// The payload of the next record. Empty optional, with the reason, when the file is not whole here.
std::optional<std::vector<std::byte>> readRecord(std::istream& in, std::string& reason) {
    const auto length = readNumber(in), expected = length ? readNumber(in) : std::nullopt;
    if (!expected) {
        reason = "the file ends before its closing mark";
        return std::nullopt;
    }
    std::vector<std::byte> payload;
    // Grows with what is really there: a damaged length must not ask for memory.
    constexpr size_t piece = 1 << 20;
    while (*length <= largestRecord && payload.size() < *length) {
        const size_t had = payload.size(), want = std::min<size_t>(piece, *length - had);
        payload.resize(had + want);
        in.read(reinterpret_cast<char*>(payload.data() + had), static_cast<std::streamsize>(want));
        if (in.gcount() != static_cast<std::streamsize>(want)) {
            reason = "the file ends in the middle of a frame";
            return std::nullopt;
        }
    }
    if (*length > largestRecord || checksum(payload) != *expected) {
        reason = "a frame is damaged";
        return std::nullopt;
    }
    return payload;
}

bool isClosingMark(const nlohmann::json& message) {
    return message.is_object() && message.contains("type") && message["type"] == "sessionEnded";
}

/// Why the file is not whole at its closing mark, behind `count` frames; empty: it is. Throws InputError for a mark
/// that is none.
std::string checkEnd(std::istream& in, const nlohmann::json& mark, uint64_t count) {
    if (!mark.contains("frames"))
        throw InputError("sessionEnded.frames is missing");
    const nlohmann::json& frames = mark["frames"];
    if (!frames.is_number_integer())
        throw InputError(fmt::format("sessionEnded.frames: expected a whole number, not {}",
                                     frames.is_binary() ? "a byte string" : frames.type_name()));
    if (frames != count)
        return "frames are missing";
    const auto end = in.tellg();
    const auto behind = in.seekg(0, std::ios::end).tellg() - end;
    return behind > 0
               ? fmt::format("{} behind its end {} not read", counted(behind, "byte"), behind == 1 ? "is" : "are")
               : "";
}

/// Reads frames until the closing mark; returns why it stopped early, empty when the file was whole.
std::string readFrames(std::istream& in, std::vector<RunRecord>& runs, const std::atomic<bool>* cancel) {
    std::string reason;
    for (uint64_t count = 0;; ++count) {
        checkCancelled(cancel);
        const auto payload = readRecord(in, reason);
        if (!payload)
            return reason;
        try {
            const nlohmann::json message = fromCbor(*payload);
            if (isClosingMark(message))
                return checkEnd(in, message, count);
            const Frame frame = frameFromJson(message);
            if (std::holds_alternative<RunStarted>(frame))
                runs.emplace_back();
            if (runs.empty())
                return "the first frame does not start a run";
            runs.back().apply(frame);
        } catch (const std::exception& error) { // whatever a damaged frame makes the readers say
            return fmt::format("frame {} cannot be read ({})", count + 1, sentenceOf(error));
        }
    }
}

/// The digits of the version, however many, of a header whose beginning has been read; empty: it has none.
std::string versionOf(std::string start, std::istream& rest) {
    if (!start.starts_with(magic))
        return {};
    const auto endsInDigit = [&] { return std::isdigit(static_cast<unsigned char>(start.back())) != 0; };
    for (char next = 0; endsInDigit() && start.size() <= magic.size() + longestEcho && rest.get(next);)
        start += next;
    const size_t end = std::min(start.find_first_not_of("0123456789", magic.size()), start.size());
    return start.substr(magic.size(), end - magic.size());
}

bool isNewer(const std::string& version) {
    const size_t digits = version.size() - std::min(version.find_first_not_of('0'), version.size());
    return digits > 1 || (digits == 1 && version.back() > '1');
}

} // namespace

SessionWriter::SessionWriter(const std::filesystem::path& file) : out(std::make_unique<formats::AtomicFile>(file)) {
    out->stream() << header;
}

SessionWriter::~SessionWriter() = default;

void SessionWriter::add(const Frame& frame) {
    writeRecord(out->stream(), encode(frame));
    ++count;
}

void SessionWriter::finish() {
    writeRecord(out->stream(), toCbor({{"type", "sessionEnded"}, {"frames", count}}));
    out->commit();
}

void saveSession(const std::filesystem::path& file, const std::vector<const RunRecord*>& runs) {
    SessionWriter writer(file);
    for (const RunRecord* run : runs)
        for (const Frame& frame : run->frames())
            writer.add(frame);
    writer.finish();
}

Session openSession(const std::filesystem::path& file, const std::atomic<bool>* cancel) {
    requireRegularFile(file.string(), "a session file (.warplight)");
    std::ifstream in(file, std::ios::binary);
    if (!in)
        throw InputError(fmt::format("{}: cannot be opened, expected a session file (.warplight)", file.string()));
    Session session = readSession(in, file.string(), cancel);
    if (session.runs.empty())
        throw InputError(session.damage);
    return session;
}

Session readSession(std::istream& stream, const std::string& nameForMessages, const std::atomic<bool>* cancel) {
    std::string start(header.size(), '\0');
    stream.read(start.data(), static_cast<std::streamsize>(start.size()));
    if (const std::string version = versionOf(start, stream); isNewer(version))
        throw InputError(fmt::format("{}: was written by a newer Warplight (session version {}), expected version 1: "
                                     "open it with that one",
                                     nameForMessages, echoed(version)));
    if (start != header)
        throw InputError(fmt::format("{}: does not begin with '{}', expected a session file (.warplight)",
                                     nameForMessages, header.substr(0, header.size() - 1)));
    Session session;
    const std::string reason = readFrames(stream, session.runs, cancel);
    if (reason.empty() && session.runs.empty())
        throw InputError(fmt::format("{}: holds no runs, expected a session with at least one", nameForMessages));
    if (!reason.empty())
        session.damage = session.runs.empty()
                             ? fmt::format("{}: {}; nothing of it could be read.", nameForMessages, reason)
                             : fmt::format("{}: {}; everything up to figure {} of run {} ({}) is shown.",
                                           nameForMessages, reason, session.runs.back().figures().size(),
                                           session.runs.size(), session.runs.back().start().title);
    return session;
}

} // namespace warplight::lab
