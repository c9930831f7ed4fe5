// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/context.h"
#include "gpu/cuda/device_memory.h"
#include "gpu/cuda/timing.h"
#include "gpu/device.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace warplight::cuda {

class Cublas;
class Cufft;

struct CudaOptions {
    double memoryShare = 0.9; ///< of what is free at the start: the rest is for the driver, the desktop, others
    std::string library;      ///< path of libcuda; empty: see Driver::open
};

/// An NVIDIA GPU, through the CUDA driver. One stream; calls return when their work is done (uploads when their source
/// is no longer needed). After DeviceLost every call throws it again, only `release` and `held` go on working. One
/// thread at a time.
class CudaDevice final : public gpu::Device {
  public:
    /// GPU `number`, from 0. Throws InputError with the sentence of `deviceList` when there is none.
    explicit CudaDevice(int number, const CudaOptions& options = {});
    ~CudaDevice() override;

    std::string name() const override { return context.name(); }
    std::optional<int> architecture() const override { return context.architecture(); }
    uint64_t allocate(int64_t bytes, const std::string& name) override { return memory.allocate(bytes, name); }
    void release(uint64_t address) override { memory.release(address); }
    std::vector<std::string> held() const override { return memory.held(); }
    void upload(uint64_t to, const void* from, int64_t bytes) override { memory.upload(to, from, bytes); }
    void download(void* to, uint64_t from, int64_t bytes) override { memory.download(to, from, bytes); }
    std::unique_ptr<gpu::Module> load(const std::string& ptx, const std::string& file,
                                      const std::atomic<bool>* cancel = nullptr) override;
    std::optional<gpu::Measured> measure(const gpu::Repetitions& repeat, const std::function<void()>& work,
                                         const std::atomic<bool>* cancel = nullptr) override;
    /// cuBLAS, opened when it is first asked for; null where there is none.
    gpu::MatrixLibrary* matrixLibrary() override;
    gpu::FourierLibrary* fourierLibrary() override; ///< cuFFT, likewise

    MemoryInfo memoryInfo() { return memory.info(); }
    Context& cuda() { return context; } ///< for CUPTI and whoever else needs the handles

  private:
    Context context;
    DeviceMemory memory;
    Timing timing;
    std::unique_ptr<Cublas> cublas;
    std::unique_ptr<Cufft> cufft;
    bool cublasLookedFor = false, cufftLookedFor = false;
};

/// GPU `number` of id "cuda:N"; throws InputError when `id` is none.
int deviceNumber(const std::string& id);

} // namespace warplight::cuda
