// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of libcuda that older drivers do not have; a library without this file stands in for such a driver.
#include "gpu/cuda/driver_types.h"
#include "tests/gpu/standin/state.h"

using namespace standin;
using namespace warplight::cuda;

namespace standin {
Result allocate(Gpu& gpu, DevicePointer* address, size_t bytes);
Result release(Gpu& gpu, DevicePointer address);
} // namespace standin

extern "C" {

STANDIN_EXPORT Result cuMemAllocAsync(DevicePointer* address, size_t bytes, StreamHandle) {
    return inContext("cuMemAllocAsync",
                     [&](Gpu& gpu) { return state().pools ? allocate(gpu, address, bytes) : Result::NotSupported; });
}
STANDIN_EXPORT Result cuMemFreeAsync(DevicePointer address, StreamHandle) {
    return inContext("cuMemFreeAsync", [&](Gpu& gpu) {
        gpu.queue.push_back([&gpu, address] { return release(gpu, address); });
        return Result::Success;
    });
}
STANDIN_EXPORT Result cuFuncGetParamInfo(FunctionHandle handle, size_t index, size_t* offset, size_t* bytes) {
    return inContext("cuFuncGetParamInfo", [&](Gpu&) {
        const auto& parameters = reinterpret_cast<standin::Function*>(handle)->kernel->info().parameters;
        if (index >= parameters.size())
            return Result::InvalidValue;
        size_t at = 0;
        for (size_t i = 0; i < index; ++i)
            at += static_cast<size_t>(parameters[i].bytes);
        *offset = at; // nobody asks for its alignment here
        *bytes = static_cast<size_t>(parameters[index].bytes);
        return Result::Success;
    });
}
}
