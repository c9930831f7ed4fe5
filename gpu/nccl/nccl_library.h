// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/shared_library.h"
#include "gpu/nccl/nccl_types.h"

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::nccl {

/// NVIDIA's library of collectives, its functions looked up by name. WARPLIGHT_LIBNCCL names a file to take instead of
/// libnccl.so.2.
class Library {
  public:
    struct Opened {
        std::shared_ptr<const Library> library; ///< null: there is none that can be used
        std::string whyNot;                     ///< one sentence
    };
    /// `path` empty: what WARPLIGHT_LIBNCCL says, else libnccl.so.2 where the loader looks and in /usr/local/cuda.
    static Opened open(const std::string& path = "");

    std::string path() const { return library.path(); }
    int version() const { return number; } ///< NCCL_VERSION_CODE: 22809 is 2.28.9
    /// "invalid usage (run with NCCL_DEBUG=WARN for details): Duplicate GPU detected"
    std::string text(Result result, CommHandle comm = nullptr) const;

    // The names that dlsym is asked for stand in nccl_library.cpp. Counts are elements; streams are of the GPU of
    // `comm`. A call returns when its work is in the stream, between groupStart and groupEnd earlier.
    Result (*getVersion)(int* version);
    Result (*getUniqueId)(UniqueId*);
    Result (*commInitAll)(CommHandle* comms, int gpus, const int* ordinals);
    Result (*commInitRank)(CommHandle*, int ranks, UniqueId, int rank);
    Result (*commDestroy)(CommHandle);
    Result (*commAbort)(CommHandle); ///< ends what waits on the GPU, from any thread; destroys
    Result (*commGetAsyncError)(CommHandle, Result*);
    const char* (*getErrorString)(Result);
    Result (*groupStart)();
    Result (*groupEnd)();
    Result (*send)(const void* from, size_t count, DataType, int peer, CommHandle, cuda::StreamHandle);
    Result (*receive)(void* to, size_t count, DataType, int peer, CommHandle, cuda::StreamHandle);
    Result (*allReduce)(const void* from, void* to, size_t count, DataType, Operation, CommHandle, cuda::StreamHandle);
    Result (*reduceScatter)(const void* from, void* to, size_t countEach, DataType, Operation, CommHandle,
                            cuda::StreamHandle);
    Result (*allGather)(const void* from, void* to, size_t countEach, DataType, CommHandle, cuda::StreamHandle);
    Result (*broadcast)(const void* from, void* to, size_t count, DataType, int root, CommHandle, cuda::StreamHandle);

    const char* (*getLastError)(CommHandle); ///< null before 2.13

  private:
    explicit Library(cuda::SharedLibrary l) : library(std::move(l)) {}
    std::string resolve(); ///< empty, or the first name that is missing
    cuda::SharedLibrary library;
    int number = 0;
};

/// "2.28.9"
std::string versionText(int version);

/// What NCCL could not do, with its text.
struct NcclError : std::runtime_error {
    NcclError(Result r, const std::string& sentence) : std::runtime_error(sentence), result(r) {}
    Result result;
};

} // namespace warplight::nccl
