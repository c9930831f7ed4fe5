// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/ptx_text.h"
#include "gpu/cuda/timing.h"
#include "gpu/device.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace warplight::cuda {

/// A kernel in the GPU's own code.
class CudaKernel final : public gpu::Kernel {
  public:
    CudaKernel(Context& context, Timing& timing, FunctionHandle function, PtxKernel declared);
    const gpu::KernelInfo& info() const override { return about; }
    /// `stats.measured` is set unless the launch is part of a larger measurement (Device::measure).
    gpu::LaunchStats launch(const gpu::LaunchConfig& config, std::span<const gpu::Argument> arguments) override;

    FunctionHandle function() const { return handle; }
    int registers() const { return usedRegisters; } ///< of a thread

  private:
    void check(const gpu::LaunchConfig& config, std::span<const gpu::Argument> arguments) const;
    void start(const gpu::LaunchConfig& config, std::span<void*> arguments);

    Context& context;
    Timing& timing;
    FunctionHandle handle;
    gpu::KernelInfo about;
    int usedRegisters = 0;
    int64_t dynamicShared = 0; ///< asked for so far
};

/// PTX that the driver has compiled for its GPU.
class CudaModule final : public gpu::Module {
  public:
    /// Throws InputError with `file`, the line and what the driver's compiler says.
    CudaModule(Context& context, Timing& timing, const std::string& ptx, std::string file);
    ~CudaModule() override;
    std::vector<std::string> kernels() const override;
    gpu::Kernel& kernel(const std::string& name) override;

  private:
    Context& context;
    Timing& timing;
    std::string file;
    ModuleHandle handle = nullptr;
    std::vector<PtxKernel> declared;
    std::map<std::string, std::unique_ptr<CudaKernel>> found;
};

} // namespace warplight::cuda
