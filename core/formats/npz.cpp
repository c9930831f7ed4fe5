#include "core/formats/npz.h"

#include "core/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <zip.h>

namespace warplight::formats {
namespace {

constexpr std::string_view ending = ".npy";

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;

Archive openArchive(const std::string& file) {
    int code = 0;
    Archive archive(zip_open(file.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code), zip_discard);
    if (!archive) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        const std::string why = zip_error_strerror(&error);
        zip_error_fini(&error);
        throw InputError(fmt::format("{}: {}, expected a .npz archive", file, why));
    }
    return archive;
}

std::vector<std::string> namesOf(zip_t* archive) {
    std::vector<std::string> names;
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i)
        if (const char* name = zip_get_name(archive, static_cast<zip_uint64_t>(i), ZIP_FL_ENC_GUESS))
            if (std::string_view(name).ends_with(ending))
                names.emplace_back(name, std::string_view(name).size() - ending.size());
    return names;
}

} // namespace

std::vector<std::string> npzNames(const std::string& file) { return namesOf(openArchive(file).get()); }

std::vector<std::byte> readNpzMember(const std::string& file, const std::string& name) {
    const Archive archive = openArchive(file);
    const auto names = namesOf(archive.get());
    const auto found = name.empty() && names.size() == 1 ? names.begin() : std::find(names.begin(), names.end(), name);
    if (found == names.end())
        throw InputError(fmt::format("{}: no array '{}', expected one of: {}", file, name, fmt::join(names, ", ")));
    const std::string member = *found + std::string(ending);
    zip_stat_t status;
    zip_stat_init(&status);
    const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> in(
        zip_stat(archive.get(), member.c_str(), ZIP_FL_ENC_GUESS, &status) == 0
            ? zip_fopen(archive.get(), member.c_str(), ZIP_FL_ENC_GUESS)
            : nullptr,
        zip_fclose);
    // Grows with what really comes: a damaged directory must not ask for memory.
    std::vector<std::byte> bytes;
    constexpr size_t piece = 1 << 20;
    for (zip_int64_t got = in ? 1 : -1; got != 0;) {
        const size_t had = bytes.size();
        if (got > 0) {
            bytes.resize(had + piece);
            got = zip_fread(in.get(), bytes.data() + had, piece);
        }
        if (got < 0)
            throw InputError(fmt::format(
                "{}: array '{}' is damaged or packed in a way that is not read, expected stored or deflated", file,
                *found));
        bytes.resize(had + static_cast<size_t>(got));
    }
    if (bytes.size() != status.size)
        throw InputError(
            fmt::format("{}: array '{}' has {} bytes, expected {}", file, *found, bytes.size(), status.size));
    return bytes;
}

void writeNpz(const std::string& file, const std::map<std::string, std::string>& arrays) {
    int code = 0;
    // libzip writes to a temporary name and renames it when the archive is closed.
    Archive archive(zip_open(file.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code), zip_discard);
    const auto refuse = [&] {
        throw InputError(
            fmt::format("{}: cannot be written, expected a .npz in a folder that exists and allows it", file));
    };
    if (!archive)
        refuse();
    for (const auto& [name, bytes] : arrays) {
        zip_source_t* source = zip_source_buffer(archive.get(), bytes.data(), bytes.size(), 0);
        const zip_int64_t index =
            zip_file_add(archive.get(), (name + std::string(ending)).c_str(), source, ZIP_FL_ENC_UTF_8);
        if (index < 0) {
            zip_source_free(source);
            refuse();
        }
        zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
    }
    if (zip_close(archive.get()) != 0)
        refuse();
    static_cast<void>(archive.release());
}

} // namespace warplight::formats
