// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/collectives/gpus/gpus.h"
#include "gpu/number/half.h"
#include "tests/gpu/standin/control.h"
#include "tests/gpu/standin/standin_nccl.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace warplight::test {

using namespace collectives;

/// The stand-in for NCCL beside that for the driver; both are what the program opens from now on.
struct StandInNccl {
    StandInNccl()
        : path(WARPLIGHT_STANDIN_FOLDER "/libnccl.so.2"),
          library(opened(path)),
          reset(find<decltype(&standinNcclReset)>("standinNcclReset")),
          fault(find<decltype(&standinNcclFault)>("standinNcclFault")),
          asyncError(find<decltype(&standinNcclAsyncError)>("standinNcclAsyncError")),
          hang(find<decltype(&standinNcclHang)>("standinNcclHang")),
          stick(find<decltype(&standinNcclStick)>("standinNcclStick")),
          version(find<decltype(&standinNcclVersion)>("standinNcclVersion")),
          comms(find<decltype(&standinNcclComms)>("standinNcclComms")),
          aborted(find<decltype(&standinNcclAborted)>("standinNcclAborted")),
          log(find<decltype(&standinNcclLog)>("standinNcclLog")) {}

    void use(const StandIn& driver) {
        qputenv("WARPLIGHT_LIBCUDA", driver.path.c_str());
        qputenv("WARPLIGHT_LIBNCCL", path.c_str());
        qputenv("WARPLIGHT_LIBNVML", "/no/libnvidia-ml.so.1"); // nobody asks for clocks
        driver.reset();
        driver.devices(4);
        reset();
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
    decltype(&standinNcclReset) reset;
    decltype(&standinNcclFault) fault;
    decltype(&standinNcclAsyncError) asyncError;
    decltype(&standinNcclHang) hang;
    decltype(&standinNcclStick) stick;
    decltype(&standinNcclVersion) version;
    decltype(&standinNcclComms) comms;
    decltype(&standinNcclAborted) aborted;
    decltype(&standinNcclLog) log;
};

/// Whole numbers as elements of a type that holds them exactly.
inline std::vector<std::byte> encoded(number::Format type, const std::vector<int>& values) {
    const auto size = static_cast<size_t>(number::bytes(type));
    std::vector<std::byte> bytes(values.size() * size);
    for (size_t i = 0; i < values.size(); ++i) {
        const double d = values[i];
        const auto f = static_cast<float>(values[i]);
        const uint16_t h = type == number::Format::F16 ? number::floatToF16(f) : number::floatToBf16(f);
        std::memcpy(bytes.data() + i * size,
                    type == number::Format::F64   ? static_cast<const void*>(&d)
                    : type == number::Format::F32 ? static_cast<const void*>(&f)
                                                  : &h,
                    size);
    }
    return bytes;
}

/// What rank `rank` starts with: multiples of 12 below 64, so that sums and averages of 2 to 4 are whole and below 256,
/// which bf16 holds exactly.
inline int startValue(int rank, int64_t i) {
    return 12 * static_cast<int>((static_cast<int64_t>(rank) * 3 + i * 5 + i / 7) % 6);
}

inline std::vector<std::vector<std::byte>> startVectors(number::Format type, int ranks, int64_t n) {
    std::vector<std::vector<std::byte>> all;
    for (int rank = 0; rank < ranks; ++rank) {
        std::vector<int> values;
        for (int64_t i = 0; i < n; ++i)
            values.push_back(startValue(rank, i));
        all.push_back(encoded(type, values));
    }
    return all;
}

/// What every element is in the end.
inline std::vector<int> combinedValues(Reduction reduction, int ranks, int64_t n) {
    std::vector<int> values;
    for (int64_t i = 0; i < n; ++i) {
        int sum = 0, most = 0;
        for (int rank = 0; rank < ranks; ++rank) {
            sum += startValue(rank, i);
            most = std::max(most, startValue(rank, i));
        }
        values.push_back(reduction == Reduction::Max ? most : reduction == Reduction::Average ? sum / ranks : sum);
    }
    return values;
}

} // namespace warplight::test
