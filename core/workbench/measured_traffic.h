// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/page.h"
#include "gpu/device.h"

#include <memory>
#include <optional>
#include <string>

namespace warplight::workbench {

/// Bytes that an NVIDIA GPU's own counters saw while an implementation ran, all of its launches together.
struct MeasuredBytes {
    std::optional<double> dram; ///< read and written; nothing on integrated chips
    double l2 = 0, l1 = 0;
    double seconds = 0; ///< of the launches, while they were counted
};

/// Reads the counters of an NVIDIA GPU around launches, by CUPTI.
class MeasuredTraffic {
  public:
    /// `device`: "cuda:N". Throws InputError when there is no such GPU.
    explicit MeasuredTraffic(const std::string& device);
    ~MeasuredTraffic();

    const gpu::Device& device() const;
    /// Why the counters cannot be read, in a sentence; empty when they can.
    const std::string& unavailable() const { return why; }
    /// Nothing when the counters cannot be read.
    std::optional<MeasuredBytes> measure(const Contestant& contestant, const Problem& problem, Tensors& tensors,
                                         gpu::LaunchOptions options);

  private:
    struct Counters;
    std::unique_ptr<Counters> counters;
    std::string why;
};

} // namespace warplight::workbench
