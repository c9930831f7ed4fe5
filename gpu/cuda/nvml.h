// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/shared_library.h"

#include <cstdint>
#include <memory>
#include <string>

namespace warplight::cuda {

/// What a GPU's clocks do, by NVML (libnvidia-ml.so.1, or what WARPLIGHT_LIBNVML names). Comes with the driver, but not
/// into every container.
class Nvml {
  public:
    /// The GPU at `pciBusId` ("0000:65:00.0"); null where NVML is not there or does not know it.
    static std::unique_ptr<Nvml> open(const std::string& pciBusId);
    ~Nvml();
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;

    struct Reading {
        unsigned smClockMHz = 0; ///< 0: it does not tell
        uint64_t throttled = 0;  ///< nvmlClocksEventReasons
    };
    Reading read() const;

  private:
    Nvml() = default;
    struct Functions;
    std::unique_ptr<const Functions> functions;
    struct NvmlDevice* device = nullptr;
};

/// Why a GPU holds its clocks back, "power cap, heat"; empty when none of `reasons` does.
std::string throttleText(uint64_t reasons);

} // namespace warplight::cuda
