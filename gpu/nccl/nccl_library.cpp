// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/nccl/nccl_library.h"

#include <cstdlib>
#include <fmt/format.h>
#include <optional>
#include <vector>

namespace warplight::nccl {
namespace {

/// Send and receive came with 2.7.
constexpr int oldestVersion = 2700;
constexpr const char* package = "Debian's and NVIDIA's package libnccl2 has it";

std::vector<std::string> namesToTry(const std::string& path) {
    if (!path.empty())
        return {path};
    if (const char* wanted = std::getenv("WARPLIGHT_LIBNCCL"); wanted && *wanted)
        return {wanted};
    return {"libnccl.so.2", "/usr/local/cuda/lib64/libnccl.so.2"}; // toolkits do not always tell the loader
}

} // namespace

std::string versionText(int version) {
    const int major = version < 10'000 ? 1000 : 10'000; // the digits changed with 2.9
    return fmt::format("{}.{}.{}", version / major, version % major / 100, version % 100);
}

std::string Library::text(Result result, CommHandle comm) const {
    const char* general = getErrorString(result);
    std::string all = general ? general : fmt::format("NCCL error {}", static_cast<int>(result));
    if (const char* last = getLastError ? getLastError(comm) : nullptr; last && *last)
        all += fmt::format(": {}", last);
    return all;
}

Library::Opened Library::open(const std::string& path) {
    const std::vector<std::string> names = namesToTry(path);
    std::optional<cuda::SharedLibrary> library = cuda::SharedLibrary::open(names);
    if (!library)
        return {nullptr, fmt::format("NCCL is not there: {} was not found ({}).", names.front(), package)};
    const std::shared_ptr<Library> made(new Library(*library));
    if (const std::string missing = made->resolve(); !missing.empty())
        return {nullptr, fmt::format("{} has no {}: NCCL is older than {}, or it is none.", made->library.path(),
                                     missing, versionText(oldestVersion))};
    if (made->getVersion(&made->number) != Result::Success || made->number < oldestVersion)
        return {nullptr, fmt::format("{} is NCCL {}; {} or later is needed.", made->library.path(),
                                     versionText(made->number), versionText(oldestVersion))};
    return {made, ""};
}

std::string Library::resolve() {
    std::string missing;
    const auto find = [&]<class F>(F& function, const char* name) {
        function = library.function<F>(name);
        if (!function && missing.empty())
            missing = name;
    };
    find(getVersion, "ncclGetVersion");
    find(getUniqueId, "ncclGetUniqueId");
    find(commInitAll, "ncclCommInitAll");
    find(commInitRank, "ncclCommInitRank");
    find(commDestroy, "ncclCommDestroy");
    find(commAbort, "ncclCommAbort");
    find(commGetAsyncError, "ncclCommGetAsyncError");
    find(getErrorString, "ncclGetErrorString");
    find(groupStart, "ncclGroupStart");
    find(groupEnd, "ncclGroupEnd");
    find(send, "ncclSend");
    find(receive, "ncclRecv");
    find(allReduce, "ncclAllReduce");
    find(reduceScatter, "ncclReduceScatter");
    find(allGather, "ncclAllGather");
    find(broadcast, "ncclBroadcast");
    getLastError = library.function<decltype(getLastError)>("ncclGetLastError");
    return missing;
}

} // namespace warplight::nccl
