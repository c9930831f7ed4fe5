// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/timing.h"
#include "gpu/device.h"

#include <memory>
#include <string>

namespace warplight::cuda {

/// cuFFT (libcufft.so.12 or .11, or what WARPLIGHT_LIBCUFFT names) on a device's stream, in f32.
class Cufft final : public gpu::FourierLibrary {
  public:
    /// Null where cuFFT is not found.
    static std::unique_ptr<Cufft> open(Context& context, Timing& timing);
    ~Cufft() override;
    std::string name() const override;
    std::shared_ptr<gpu::FourierPlan> plan(const gpu::FourierShape& shape) override;

    struct Functions;

  private:
    Cufft(Context& c, Timing& t);

    Context& context;
    Timing& timing;
    std::shared_ptr<const Functions> functions;
};

} // namespace warplight::cuda
