// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/driver_types.h"
#include "gpu/cuda/shared_library.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace warplight::cuda {

/// libcuda: its functions, looked up by name. WARPLIGHT_LIBCUDA names a file to take instead of libcuda.so.1.
class Driver {
  public:
    struct Opened {
        std::shared_ptr<const Driver> driver; ///< null: there is none that can be used
        std::string whyNot;                   ///< one sentence
    };
    /// Opens the library and starts it (cuInit). `path` empty: what WARPLIGHT_LIBCUDA says, else libcuda.so.1.
    static Opened open(const std::string& path = "");

    std::string path() const { return library.path(); }
    int version() const { return number; } ///< CUDA's, 12040 for 12.4
    /// "CUDA_ERROR_OUT_OF_MEMORY (out of memory)"
    std::string text(Result result) const;

    // The names that dlsym is asked for stand in driver.cpp.
    Result (*init)(unsigned flags);
    Result (*driverGetVersion)(int* version);
    Result (*getErrorName)(Result, const char**);
    Result (*getErrorString)(Result, const char**);
    Result (*deviceGetCount)(int*);
    Result (*deviceGet)(DeviceNumber*, int ordinal);
    Result (*deviceGetName)(char* name, int length, DeviceNumber);
    Result (*deviceTotalMem)(size_t* bytes, DeviceNumber);
    Result (*deviceGetAttribute)(int*, DeviceAttribute, DeviceNumber);
    Result (*deviceGetPciBusId)(char* id, int length, DeviceNumber);
    Result (*primaryContextRetain)(ContextHandle*, DeviceNumber);
    Result (*primaryContextRelease)(DeviceNumber);
    Result (*contextSetCurrent)(ContextHandle);
    Result (*streamCreate)(StreamHandle*, unsigned flags);
    Result (*streamDestroy)(StreamHandle);
    Result (*streamSynchronize)(StreamHandle);
    Result (*streamQuery)(StreamHandle); ///< NotReady: it has work left
    Result (*eventCreate)(EventHandle*, unsigned flags);
    Result (*eventDestroy)(EventHandle);
    Result (*eventRecord)(EventHandle, StreamHandle);
    Result (*eventSynchronize)(EventHandle);
    Result (*eventElapsedTime)(float* milliseconds, EventHandle begin, EventHandle end);
    Result (*memGetInfo)(size_t* free, size_t* total);
    Result (*memAlloc)(DevicePointer*, size_t bytes);
    Result (*memFree)(DevicePointer);
    Result (*memAllocHost)(void**, size_t bytes);
    Result (*memFreeHost)(void*);
    Result (*memcpyHostToDevice)(DevicePointer, const void*, size_t bytes, StreamHandle);
    Result (*memcpyDeviceToHost)(void*, DevicePointer, size_t bytes, StreamHandle);
    Result (*memcpyDeviceToDevice)(DevicePointer to, DevicePointer from, size_t bytes, StreamHandle);
    Result (*memsetBytes)(DevicePointer, unsigned char value, size_t bytes, StreamHandle);
    Result (*moduleLoadData)(ModuleHandle*, const void* image, unsigned options, JitOption*, void** values);
    Result (*moduleUnload)(ModuleHandle);
    Result (*moduleGetFunction)(FunctionHandle*, ModuleHandle, const char* name);
    Result (*functionGetAttribute)(int*, FunctionAttribute, FunctionHandle);
    Result (*functionSetAttribute)(FunctionHandle, FunctionAttribute, int value);
    Result (*launchKernel)(FunctionHandle, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                           unsigned blockY, unsigned blockZ, unsigned sharedBytes, StreamHandle, void** parameters,
                           void** extra);

    // Null in drivers older than the version named.
    Result (*memAllocAsync)(DevicePointer*, size_t bytes, StreamHandle);                         ///< 11.2
    Result (*memFreeAsync)(DevicePointer, StreamHandle);                                         ///< 11.2
    Result (*functionGetParameter)(FunctionHandle, size_t index, size_t* offset, size_t* bytes); ///< 12.4

  private:
    explicit Driver(SharedLibrary l) : library(std::move(l)) {}
    std::string resolve(); ///< empty, or the first name that is missing
    SharedLibrary library;
    int number = 0;
};

/// "12.4"
std::string versionText(int version);

/// After such an error the driver answers nothing but the same error to this process (CUDA driver API, CUresult).
bool isSticky(Result result);

/// What CUDA could not do and nobody could have foreseen, with the driver's name and text of the error.
struct CudaError : std::runtime_error {
    CudaError(Result r, const std::string& sentence) : std::runtime_error(sentence), result(r) {}
    Result result;
};

} // namespace warplight::cuda
