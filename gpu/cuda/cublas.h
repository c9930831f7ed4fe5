// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/timing.h"
#include "gpu/device.h"

#include <atomic>
#include <memory>
#include <string>

namespace warplight::cuda {

/// cuBLAS (libcublas.so.13 or .12, or what WARPLIGHT_LIBCUBLAS names) on a device's stream. Sums are f32, f32 inputs
/// are not rounded to tf32.
class Cublas final : public gpu::MatrixLibrary {
  public:
    /// Null where cuBLAS is not found or does not start.
    static std::unique_ptr<Cublas> open(Context& context, Timing& timing);
    ~Cublas() override;
    std::string name() const override;
    gpu::LaunchStats multiply(const gpu::MatrixProduct& product, const gpu::Repetitions& repeat,
                              const std::atomic<bool>* cancel) override;

  private:
    struct Functions;
    Cublas(Context& c, Timing& t);
    void start(const gpu::MatrixProduct& product);

    Context& context;
    Timing& timing;
    std::unique_ptr<const Functions> functions;
    struct CublasHandle* handle = nullptr;
};

} // namespace warplight::cuda
