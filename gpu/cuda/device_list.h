// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace warplight::cuda {

/// What a GPU tells about itself.
struct GpuInfo {
    std::string id;           ///< "cuda:0"
    std::string name;         ///< "NVIDIA H100 80GB HBM3"
    int major = 0, minor = 0; ///< compute capability
    int multiprocessors = 0;
    int64_t memoryBytes = 0, l2Bytes = 0, sharedBytes = 0; ///< shared: of a block, at most
    double clockHz = 0, memoryClockHz = 0;                 ///< highest
    int memoryBusBits = 0;
    int driverVersion = 0; ///< CUDA's, 13000
    std::string pciBusId;
    /// "compute capability 9.0, 132 multiprocessors, 80 GB, CUDA 13.0"
    std::string detail() const;
};

struct DeviceList {
    std::vector<GpuInfo> gpus;
    std::string whyNone; ///< one sentence, when there are none
};

/// The NVIDIA GPUs of this machine. Never throws. `library`: see Driver::open.
DeviceList deviceList(const std::string& library = "") noexcept;

} // namespace warplight::cuda
