// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/atomic_file.h"

#include "core/error.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <ios>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace warplight::formats {
namespace {

namespace fs = std::filesystem;

constexpr int mostLinks = 40; ///< as the kernel follows

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
    throw InputError(fmt::format("{}: {}", file.string(), why));
}

[[noreturn]] void refuseForReason(const fs::path& file, int error) {
    refuse(file, fmt::format("cannot be written ({}), expected a file name in a folder that exists and allows it",
                             std::strerror(error)));
}

/// Whether a link stands for something that a process holds open (/dev/stdout leads there): only it leads to that.
bool isOpenFile(const fs::path& link) { return link.string().starts_with("/proc/"); }

/// What a chain of links leads to, whether that exists or not.
fs::path behindLinks(const fs::path& file) {
    fs::path at = file;
    for (int links = 0; links < mostLinks; ++links) {
        std::error_code error;
        if (!fs::is_symlink(fs::symlink_status(at, error)))
            return at;
        const fs::path to = fs::read_symlink(at, error);
        if (error)
            refuse(file, error.message());
        if (isOpenFile(at))
            return at;
        at = to.is_absolute() ? to : at.parent_path() / to;
    }
    refuse(file, "is a link that leads round in a circle, expected a file name");
}

fs::path folderOf(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

/// What stands at a name that something is to be written to.
struct Place {
    fs::path target;
    bool exists = false;
    struct stat status {};
    bool isWrittenInPlace() const { return exists && (!S_ISREG(status.st_mode) || isOpenFile(target)); }
};

/// Throws InputError for what can never be written.
Place placeOf(const fs::path& file) {
    if (file.empty())
        refuse("\"\"", "expected a file name");
    Place place;
    place.target = behindLinks(file);
    place.exists = ::stat(place.target.c_str(), &place.status) == 0;
    if (!place.exists && errno != ENOENT)
        refuseForReason(file, errno);
    const mode_t mode = place.status.st_mode;
    if (place.exists && S_ISDIR(mode))
        refuse(file, "is a folder, expected the name of a file");
    if (place.exists && (S_ISBLK(mode) || S_ISSOCK(mode)))
        refuse(file, fmt::format("is a {}, expected the name of a file", S_ISBLK(mode) ? "disk" : "socket"));
    if (place.exists && ::access(place.target.c_str(), W_OK) != 0)
        refuseForReason(file, errno);
    if (!place.isWrittenInPlace()) { // a new file takes the old one's place
        if (!place.target.has_filename())
            refuse(file, "is the name of a folder, expected that of a file");
        if (::access(folderOf(place.target).c_str(), W_OK | X_OK) != 0)
            refuseForReason(file, errno);
    }
    return place;
}

} // namespace

void checkWritable(const fs::path& file) { placeOf(file); }

std::string placeKey(const fs::path& file) {
    const fs::path target = placeOf(file).target;
    struct stat folder {};
    if (::stat(folderOf(target).c_str(), &folder) != 0)
        refuseForReason(file, errno);
    return fmt::format("{}:{}/{}", folder.st_dev, folder.st_ino, target.filename().string());
}

void checkWritableFolder(const fs::path& folder) {
    const auto wrong = [&](const std::string& why) {
        refuse(folder, fmt::format("{}, expected a folder that can be written to", why));
    };
    fs::path at = folder.empty() ? fs::path(".") : folder;
    struct stat status {};
    while (::stat(at.c_str(), &status) != 0) {
        if (errno != ENOENT)
            wrong(std::strerror(errno));
        const fs::path parent = folderOf(at.has_filename() ? at : folderOf(at));
        if (parent == at)
            break;
        at = parent;
    }
    if (!S_ISDIR(status.st_mode))
        wrong(at == folder ? "is no folder" : fmt::format("{} is no folder", at.string()));
    if (::access(at.c_str(), W_OK | X_OK) != 0)
        wrong(std::strerror(errno));
}

AtomicFile::AtomicFile(fs::path file) : named(std::move(file)) {
    const Place place = placeOf(named);
    target = place.target;
    if (place.exists) {
        replaces = true;
        permissions = place.status.st_mode & 07777;
        owner = place.status.st_uid;
        group = place.status.st_gid;
    }
    if (!place.isWrittenInPlace()) {
        openBeside(folderOf(target));
        return;
    }
    // Opening a pipe waits for its reader: whether there is one is seen before.
    const int there = ::open(target.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (there < 0 && errno == ENXIO)
        refuse(named, "is a pipe that nobody reads, expected a file name");
    if (there < 0)
        refuseForReason(named, errno);
    out.open(target, std::ios::binary | std::ios::app); // behind what has been written there
    const int error = errno;
    ::close(there);
    if (!out)
        refuseForReason(named, error);
}

/// Where the file system knows files without a name, a killed program leaves nothing behind.
void AtomicFile::openBeside(const fs::path& folder) {
    static std::atomic<uint64_t> number{0};
    temporary = folder / fmt::format(".warplight-{}-{}.part", getpid(), number++);
    const bool isReachable = ::access("/proc/self/fd", X_OK) == 0; // without a name, by the number only
    if (isReachable)
        descriptor = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    isNameless = descriptor >= 0;
    if (!isNameless)
        descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        refuseForReason(named, errno);
    out.open(isNameless ? numbered() : temporary, std::ios::binary);
    if (!out) {
        const int error = errno;
        giveUp();
        refuseForReason(named, error);
    }
}

fs::path AtomicFile::numbered() const { return fmt::format("/proc/self/fd/{}", descriptor); }

void AtomicFile::giveUp() {
    if (descriptor < 0)
        return;
    ::close(descriptor);
    descriptor = -1;
    if (!isNameless)
        ::unlink(temporary.c_str());
}

AtomicFile::~AtomicFile() {
    out.close();
    giveUp();
}

void AtomicFile::failed(int error) const {
    throw std::runtime_error(fmt::format("{}: writing failed ({})", named.string(), std::strerror(error)));
}

void AtomicFile::keepPermissions() {
    if (!replaces)
        return;
    struct stat now {};
    const bool isAnothers = ::fstat(descriptor, &now) == 0 && (now.st_uid != owner || now.st_gid != group);
    if (isAnothers && ::fchown(descriptor, owner, group) != 0 && errno != EPERM)
        failed(errno);
    if (::fchmod(descriptor, permissions) != 0)
        failed(errno);
}

void AtomicFile::commit() {
    errno = 0;
    out.close();
    if (!out)
        failed(errno ? errno : ENOSPC);
    if (descriptor < 0)
        return;
    keepPermissions();
    if (::fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS) // some disks tell only now that they are full
        failed(errno);
    if (isNameless) {
        if (::linkat(AT_FDCWD, numbered().c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0)
            failed(errno);
        isNameless = false;
    }
    if (::rename(temporary.c_str(), target.c_str()) != 0)
        failed(errno);
    ::close(descriptor);
    descriptor = -1;
}

} // namespace warplight::formats
