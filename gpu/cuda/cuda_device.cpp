// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cuda_device.h"

#include "gpu/cuda/cublas.h"
#include "gpu/cuda/cuda_module.h"
#include "gpu/cuda/cufft.h"
#include "gpu/error.h"

#include <atomic>
#include <charconv>
#include <fmt/format.h>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace warplight::cuda {
namespace {

std::shared_ptr<const Driver> opened(const std::string& library) {
    Driver::Opened o = Driver::open(library);
    if (!o.driver)
        throw InputError(o.whyNot);
    return o.driver;
}

} // namespace

CudaDevice::CudaDevice(int number, const CudaOptions& options)
    : context(opened(options.library), number), memory(context, options.memoryShare), timing(context, memory) {}

CudaDevice::~CudaDevice() { context.driver().contextSetCurrent(context.handle()); } // whatever was used last

std::unique_ptr<gpu::Module> CudaDevice::load(const std::string& ptx, const std::string& file,
                                              const std::atomic<bool>* cancel) {
    checkCancelled(cancel); // the driver itself cannot be interrupted
    return std::make_unique<CudaModule>(context, timing, ptx, file);
}

std::optional<gpu::Measured> CudaDevice::measure(const gpu::Repetitions& repeat, const std::function<void()>& work,
                                                 const std::atomic<bool>* cancel) {
    return timing.measure(repeat, work, cancel, "a sequence of kernels");
}

gpu::MatrixLibrary* CudaDevice::matrixLibrary() {
    if (!std::exchange(cublasLookedFor, true))
        cublas = Cublas::open(context, timing);
    return cublas.get();
}

gpu::FourierLibrary* CudaDevice::fourierLibrary() {
    if (!std::exchange(cufftLookedFor, true))
        cufft = Cufft::open(context, timing);
    return cufft.get();
}

int deviceNumber(const std::string& id) {
    constexpr std::string_view prefix = "cuda:";
    int number = 0;
    const char* const end = id.data() + id.size();
    if (id.starts_with(prefix) && id.size() > prefix.size())
        if (const auto read = std::from_chars(id.data() + prefix.size(), end, number);
            read.ec == std::errc() && read.ptr == end && number >= 0)
            return number;
    throw InputError(fmt::format("device '{}': expected cuda:0, cuda:1 …", id));
}

} // namespace warplight::cuda
