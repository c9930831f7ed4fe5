// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/shared_library.h"
#include "tests/gpu/standin/standin.h"

#include <QString>
#include <QTest>
#include <cstdint>
#include <string>
#include <utility>

#include <array>
#include <stdexcept>

/// So that a comparison of sentences shows both.
namespace QTest {
template <>
inline char* toString(const std::string& text) {
    return qstrdup(text.c_str());
}
} // namespace QTest

namespace warplight::test {

/// The stand-in driver as a test holds it: where it is, and how to steer it (standin.h). Fresh whenever one is made.
class StandIn {
  public:
    explicit StandIn(std::string file = WARPLIGHT_STANDIN_FOLDER "/libcuda.so.1")
        : path(std::move(file)),
          library(opened(path)),
          reset(find<decltype(&standinReset)>("standinReset")),
          devices(find<decltype(&standinSetDevices)>("standinSetDevices")),
          driver(find<decltype(&standinSetDriver)>("standinSetDriver")),
          memory(find<decltype(&standinSetMemory)>("standinSetMemory")),
          pools(find<decltype(&standinSetPools)>("standinSetPools")),
          model(find<decltype(&standinModel)>("standinModel")),
          durations(find<decltype(&standinDurations)>("standinDurations")),
          fault(find<decltype(&standinFault)>("standinFault")),
          kernelFault(find<decltype(&standinKernelFault)>("standinKernelFault")),
          counts(find<decltype(&standinCounts)>("standinCounts")),
          log(find<decltype(&standinLog)>("standinLog")),
          finding(find<decltype(&standinFinding)>("standinFinding")) {
        reset();
    }
    /// Everything that a device makes, and that has to be gone with it.
    std::string liveObjects() const {
        const StandinCounts c = counts();
        const std::array<std::pair<const char*, int64_t>, 7> all{{{"contexts", c.contexts},
                                                                  {"streams", c.streams},
                                                                  {"events", c.events},
                                                                  {"modules", c.modules},
                                                                  {"device allocations", c.deviceAllocations},
                                                                  {"pinned allocations", c.hostAllocations},
                                                                  {"left with their context", int64_t(c.leaked)}}};
        std::string text;
        for (const auto& [name, count] : all)
            if (count != 0)
                text += std::to_string(count) + " " + name + " ";
        return text;
    }

    std::string path;

  private:
    static cuda::SharedLibrary opened(const std::string& path) {
        auto library = cuda::SharedLibrary::open({&path, 1});
        if (!library)
            throw std::runtime_error(path + " cannot be opened");
        return *library;
    }
    template <class F>
    F find(const char* name) const {
        return library.function<F>(name);
    }
    cuda::SharedLibrary library;

  public:
    decltype(&standinReset) reset;
    decltype(&standinSetDevices) devices;
    decltype(&standinSetDriver) driver;
    decltype(&standinSetMemory) memory;
    decltype(&standinSetPools) pools;
    decltype(&standinModel) model;
    decltype(&standinDurations) durations;
    decltype(&standinFault) fault;
    decltype(&standinKernelFault) kernelFault;
    decltype(&standinCounts) counts;
    decltype(&standinLog) log;
    decltype(&standinFinding) finding;
};

/// The other libraries, from the same folder, for whatever is opened from now on.
inline void useStandInLibraries() {
    qputenv("WARPLIGHT_LIBNVML", WARPLIGHT_STANDIN_FOLDER "/libnvidia-ml.so.1");
    qputenv("WARPLIGHT_LIBCUBLAS", WARPLIGHT_STANDIN_FOLDER "/libcublas.so.13");
    qputenv("WARPLIGHT_LIBCUFFT", WARPLIGHT_STANDIN_FOLDER "/libcufft.so.12");
}

} // namespace warplight::test
