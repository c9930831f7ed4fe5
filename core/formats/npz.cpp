// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/npz.h"

#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/tensor/pieces.h"
#include "gpu/host/memory_budget.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>
#include <zip.h>

namespace warplight::formats {
namespace {

constexpr std::string_view ending = ".npy";
constexpr size_t pieceSize = 1 << 20; ///< that is read at a time

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;

[[noreturn]] void refuseArchive(const std::string& where, zip_error_t& error) {
    const std::string why =
        zip_error_code_zip(&error) == ZIP_ER_EXISTS ? "two members have one name" : zip_error_strerror(&error);
    zip_error_fini(&error);
    throw InputError(fmt::format("{}: {}, expected a .npz archive", where, why));
}

Archive openArchive(const std::string& file) {
    requireRegularFile(file, "a .npz archive");
    int code = 0;
    Archive archive(zip_open(file.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code), zip_discard);
    if (!archive) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        refuseArchive(file, error);
    }
    return archive;
}

Archive openArchive(std::span<const std::byte> bytes, const std::string& where) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
    Archive archive(source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : nullptr, zip_discard);
    if (!archive) {
        zip_source_free(source);
        refuseArchive(where, error);
    }
    return archive;
}

std::vector<std::string> membersOf(zip_t* archive) {
    std::vector<std::string> members;
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i)
        if (const char* name = zip_get_name(archive, static_cast<zip_uint64_t>(i), ZIP_FL_ENC_GUESS))
            members.emplace_back(name);
    return members;
}

std::vector<std::string> namesOf(zip_t* archive) {
    std::vector<std::string> names;
    for (const std::string& member : membersOf(archive))
        if (member.ends_with(ending))
            names.push_back(member.substr(0, member.size() - ending.size()));
    return names;
}

} // namespace

std::vector<std::string> npzNames(const std::string& file) { return namesOf(openArchive(file).get()); }

std::vector<std::string> npzOthers(const std::string& file) {
    std::vector<std::string> others = membersOf(openArchive(file).get());
    std::erase_if(others, [](const std::string& name) { return name.ends_with(ending) || name.ends_with('/'); });
    return others;
}

namespace {

using Member = std::unique_ptr<zip_file_t, decltype(&zip_fclose)>;

/// The name of the member that is meant, with its ending.
std::string memberOf(zip_t* archive, const std::string& file, const std::string& name) {
    const auto names = namesOf(archive);
    const auto found = name.empty() && names.size() == 1 ? names.begin() : std::find(names.begin(), names.end(), name);
    if (found != names.end())
        return *found + std::string(ending);
    if (names.empty())
        throw InputError(fmt::format("{}: the archive holds no array, expected members that end in .npy", file));
    if (name.empty())
        throw InputError(fmt::format("{}: holds {} arrays, expected a name behind a colon, one of: {}", file,
                                     names.size(), fmt::join(names, ", ")));
    throw InputError(fmt::format("{}: no array '{}', expected one of: {}", file, name, fmt::join(names, ", ")));
}

[[noreturn]] void refusePacking(const std::string& file, const std::string& member) {
    throw InputError(
        fmt::format("{}: array '{}' is damaged or packed in a way that is not read, expected stored or deflated", file,
                    member.substr(0, member.size() - ending.size())));
}

Member openMember(zip_t* archive, const std::string& file, const std::string& member) {
    Member in(zip_fopen(archive, member.c_str(), ZIP_FL_ENC_GUESS), zip_fclose);
    if (!in)
        refusePacking(file, member);
    return in;
}

/// Up to `most` bytes more, with the memory growing with what really comes: a damaged directory must not ask for it.
void readMore(zip_file_t* in, std::vector<std::byte>& bytes, size_t most, const std::string& file,
              const std::string& member, const std::atomic<bool>* cancel = nullptr) {
    while (most > 0) {
        checkCancelled(cancel);
        const size_t had = bytes.size(), now = std::min(pieceSize, most);
        bytes.resize(had + now);
        const zip_int64_t got = zip_fread(in, bytes.data() + had, now);
        if (got < 0)
            refusePacking(file, member);
        bytes.resize(had + static_cast<size_t>(got));
        most -= static_cast<size_t>(got);
        if (got == 0)
            return;
    }
}

std::vector<std::byte> readAll(zip_t* archive, const std::string& file, const std::string& name,
                               const std::atomic<bool>* cancel) {
    const std::string member = memberOf(archive, file, name);
    zip_stat_t status;
    zip_stat_init(&status);
    if (zip_stat(archive, member.c_str(), ZIP_FL_ENC_GUESS, &status) != 0)
        refusePacking(file, member);
    requireMemory({static_cast<int64_t>(std::min<zip_uint64_t>(status.size, INT64_MAX)), 0, file + ":" + name, {}});
    std::vector<std::byte> bytes;
    readMore(openMember(archive, file, member).get(), bytes, SIZE_MAX, file, member, cancel);
    if (bytes.size() != status.size)
        throw InputError(fmt::format("{}: array '{}' has {} bytes, expected {}", file,
                                     member.substr(0, member.size() - ending.size()), bytes.size(), status.size));
    return bytes;
}

} // namespace

std::vector<std::byte> readNpzMember(const std::string& file, const std::string& name,
                                     const std::atomic<bool>* cancel) {
    return readAll(openArchive(file).get(), file, name, cancel);
}

std::vector<std::byte> readNpzMember(std::span<const std::byte> archive, const std::string& where,
                                     const std::string& name) {
    return readAll(openArchive(archive, where).get(), where, name, nullptr);
}

void streamNpzMember(const std::string& file, const std::string& name,
                     const std::function<void(std::span<const std::byte>)>& use, const std::atomic<bool>* cancel) {
    const Archive archive = openArchive(file);
    const std::string member = memberOf(archive.get(), file, name);
    const Member in = openMember(archive.get(), file, member);
    for (std::vector<std::byte> piece;; piece.clear()) {
        readMore(in.get(), piece, pieceSize, file, member, cancel);
        if (piece.empty())
            return;
        use(piece);
    }
}

std::vector<std::byte> readNpzHeader(const std::string& file, const std::string& name) {
    constexpr size_t versionBytes = 12; // magic, version, and a length of two or four bytes
    constexpr size_t longestHeader = 1 << 20;
    const Archive archive = openArchive(file);
    const std::string member = memberOf(archive.get(), file, name);
    const Member in = openMember(archive.get(), file, member);
    std::vector<std::byte> bytes;
    readMore(in.get(), bytes, versionBytes, file, member);
    if (bytes.size() < versionBytes)
        return bytes;
    const auto byte = [&](size_t i) { return static_cast<size_t>(bytes[i]); };
    const size_t whole = byte(6) == 1 ? 10 + byte(8) + (byte(9) << 8)
                                      : versionBytes + byte(8) + (byte(9) << 8) + (byte(10) << 16) + (byte(11) << 24);
    readMore(in.get(), bytes, std::min(whole, longestHeader) - std::min(whole, versionBytes), file, member);
    return bytes;
}

void writeNpz(const std::string& file, const std::map<std::string, std::string>& arrays) {
    AtomicFile target(file);
    const auto fail = [&](const std::string& why) { throw std::runtime_error(fmt::format("{}: {}", file, why)); };
    // Packed in memory: libzip itself would put a file of its own in the place of whatever stands there.
    zip_error_t error;
    zip_error_init(&error);
    const std::unique_ptr<zip_source_t, decltype(&zip_source_free)> packed(
        zip_source_buffer_create(nullptr, 0, 0, &error), zip_source_free);
    Archive archive(packed ? zip_open_from_source(packed.get(), ZIP_TRUNCATE, &error) : nullptr, zip_discard);
    if (!archive)
        fail(zip_error_strerror(&error));
    zip_source_keep(packed.get()); // the archive lets go of it as well
    for (const auto& [name, bytes] : arrays) {
        zip_source_t* source = zip_source_buffer(archive.get(), bytes.data(), bytes.size(), 0);
        const zip_int64_t index =
            zip_file_add(archive.get(), (name + std::string(ending)).c_str(), source, ZIP_FL_ENC_UTF_8);
        if (index < 0) {
            zip_source_free(source);
            fail(zip_strerror(archive.get()));
        }
        zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
    }
    if (zip_close(archive.get()) != 0)
        fail(zip_strerror(archive.get()));
    static_cast<void>(archive.release());
    if (zip_source_open(packed.get()) != 0)
        fail(zip_error_strerror(zip_source_error(packed.get())));
    std::vector<char> piece(1 << 20);
    for (zip_int64_t got; (got = zip_source_read(packed.get(), piece.data(), piece.size())) != 0;) {
        if (got < 0)
            fail(zip_error_strerror(zip_source_error(packed.get())));
        target.stream().write(piece.data(), got);
    }
    zip_source_close(packed.get());
    target.commit();
}

} // namespace warplight::formats
