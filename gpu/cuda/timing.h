// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/device_memory.h"
#include "gpu/cuda/nvml.h"
#include "gpu/device.h"

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace warplight::cuda {

/// Times of what runs on a GPU, by its events.
class Timing {
  public:
    Timing(Context& context, DeviceMemory& memory);
    ~Timing();

    /// Runs `work`, which puts launches into the stream and does not wait, warmups + measured times. With a cold L2 a
    /// buffer of twice its size is overwritten before each: after that nothing is left in it, and while the GPU writes,
    /// the host puts the launches into the stream, so that the GPU does not wait for the host in between. `doing` is
    /// for errors. Throws DeviceLost, Cancelled, InputError when the L2's buffer does not fit.
    gpu::Measured measure(const gpu::Repetitions& repeat, const std::function<void()>& work,
                          const std::atomic<bool>* cancel, std::string_view doing);
    /// `work` may start launches that time themselves: inside `measure` they must not.
    bool running() const { return inside; }

  private:
    Context& context;
    DeviceMemory& memory;
    Event begin, end;
    std::unique_ptr<Nvml> nvml; ///< null where there is none
    bool inside = false;
};

/// The value below which `share` of the sorted values lie: between the two nearest, by their distance.
double percentile(std::span<const double> sorted, double share);

} // namespace warplight::cuda
