// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/context.h"

#include "gpu/error.h"

#include <exception>
#include <fmt/format.h>
#include <utility>

namespace warplight::cuda {
namespace {

constexpr int nameLength = 256, busIdLength = 32; // with the zero at the end

} // namespace

Context::Context(std::shared_ptr<const Driver> driver, int ordinal) : api(std::move(driver)) {
    int count = 0;
    check(api->deviceGetCount(&count), "counting GPUs");
    if (ordinal < 0 || ordinal >= count)
        throw InputError(fmt::format("device cuda:{}: there {} {} NVIDIA GPU{} here, counted from 0", ordinal,
                                     count == 1 ? "is" : "are", count, count == 1 ? "" : "s"));
    title = fmt::format("cuda:{}", ordinal);
    check(api->deviceGet(&number, ordinal), "opening the GPU");
    char text[nameLength] = {};
    check(api->deviceGetName(text, nameLength, number), "the GPU's name");
    title = fmt::format("{} (cuda:{})", text, ordinal);
    using A = DeviceAttribute;
    capability = 10 * attribute(A::ComputeCapabilityMajor) + attribute(A::ComputeCapabilityMinor);
    most = {attribute(A::MaxThreadsPerBlock),
            attribute(A::MaxBlockDimX),
            attribute(A::MaxBlockDimY),
            attribute(A::MaxBlockDimZ),
            attribute(A::MaxGridDimX),
            attribute(A::MaxGridDimY),
            attribute(A::MaxGridDimZ),
            attribute(A::MaxSharedMemoryPerBlock),
            attribute(A::MaxSharedMemoryPerBlockOptin),
            attribute(A::L2CacheSize),
            attribute(A::MemoryPoolsSupported) != 0 && api->memAllocAsync && api->memFreeAsync};
    check(api->primaryContextRetain(&context, number), "opening the GPU");
    try {
        enter();
        check(api->streamCreate(&queue, streamNonBlocking), "a stream");
    } catch (...) {
        api->primaryContextRelease(number);
        throw;
    }
}

Context::~Context() { // whatever these say, there is nobody left to tell
    api->contextSetCurrent(context);
    api->streamDestroy(queue);
    api->primaryContextRelease(number);
}

std::string Context::pciBusId() const {
    char text[busIdLength] = {};
    return api->deviceGetPciBusId(text, busIdLength, number) == Result::Success ? text : "";
}

int Context::attribute(DeviceAttribute a) {
    int value = 0; // an attribute that the driver does not know is what older GPUs do not have
    if (const Result result = api->deviceGetAttribute(&value, a, number); result != Result::InvalidValue)
        check(result, "asking what the GPU can do");
    return value;
}

void Context::enter() {
    if (lost())
        throw DeviceLost(sentence);
    check(api->contextSetCurrent(context), "the GPU's context");
}

void Context::check(Result result, std::string_view doing) {
    if (result == Result::Success)
        return;
    if (lost())
        throw DeviceLost(sentence);
    const std::string what =
        fmt::format("{}{}: {} failed with {}", title, title.empty() ? "CUDA" : "", doing, api->text(result));
    if (!isSticky(result))
        throw CudaError(result, what);
    sentence = what + "; the GPU takes no further work from this process";
    throw DeviceLost(sentence);
}

void Context::note(Result result, std::string_view doing) noexcept {
    try {
        check(result, doing);
    } catch (const std::exception&) {
    }
}

} // namespace warplight::cuda
