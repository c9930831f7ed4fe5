// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/device.h"
#include "gpu/number/format.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace warplight::gpu {

/// A matrix [rows, columns] in device memory, in a format of its own; on the host its numbers are f32.
class DeviceMatrix {
  public:
    /// `format`: f32, f16, bf16, e4m3 or e5m2. Each row is padded with zeros to whole multiples of `columnsMultiple`
    /// numbers.
    DeviceMatrix(Device& device, const std::string& name, int64_t rows, int64_t columns, number::Format format,
                 int64_t columnsMultiple = 1);

    uint64_t address() const { return buffer.address(); }
    int64_t rowLength() const { return padded; } ///< in memory, with what is padded
    /// In pieces, so that what takes long only because it is large can be cancelled. Throws Cancelled.
    void upload(const float* from, const std::atomic<bool>* cancel = nullptr);
    void fill(float value);
    std::vector<float> download(const std::atomic<bool>* cancel = nullptr) const;

  private:
    template <class Use>
    void inPieces(const std::atomic<bool>* cancel, const Use& use) const;
    uint64_t addressOf(int64_t row) const {
        return buffer.address() + static_cast<uint64_t>(row * padded * number::bytes(format));
    }

    Device& device;
    int64_t rows, columns, padded;
    number::Format format;
    Buffer buffer;
};

} // namespace warplight::gpu
