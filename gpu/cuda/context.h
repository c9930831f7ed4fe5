// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/driver.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace warplight::cuda {

/// What launches have to fit in.
struct Limits {
    int64_t threads = 0, blockX = 0, blockY = 0, blockZ = 0, gridX = 0, gridY = 0, gridZ = 0;
    int64_t sharedBytes = 0;      ///< of a block, without asking for more
    int64_t sharedBytesOptIn = 0; ///< of a block, at most
    int64_t l2Bytes = 0;
    bool memoryPools = false;
};

/// One GPU's context (the primary one, which CUPTI and cuBLAS use as well) and one stream, and whether it still
/// answers. One thread at a time.
class Context {
  public:
    /// GPU `number`, from 0. Throws InputError when there is no such GPU, CudaError.
    Context(std::shared_ptr<const Driver> driver, int number);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    const Driver& driver() const { return *api; }
    StreamHandle stream() const { return queue; }
    ContextHandle handle() const { return context; }
    DeviceNumber device() const { return number; }
    const std::string& name() const { return title; } ///< "NVIDIA H100 80GB HBM3"
    std::string pciBusId() const;
    const Limits& limits() const { return most; }
    int architecture() const { return capability; } ///< compute capability, 89: 8.9
    int attribute(DeviceAttribute a);

    /// Makes the context the calling thread's. First in every call of a device. Throws DeviceLost.
    void enter();
    /// The one place where a result becomes an exception: DeviceLost for errors that stay, else CudaError; `doing` is
    /// what was tried, "kernel flash2_d64".
    void check(Result result, std::string_view doing);
    /// For what must not throw (a release): remembers an error that stays, so that the next call tells.
    void note(Result result, std::string_view doing) noexcept;
    void synchronize(std::string_view doing) { check(api->streamSynchronize(queue), doing); }
    bool lost() const { return !sentence.empty(); }

  private:
    std::shared_ptr<const Driver> api;
    DeviceNumber number = 0;
    ContextHandle context = nullptr;
    StreamHandle queue = nullptr;
    std::string title, sentence;
    Limits most;
    int capability = 0;
};

/// An event of the GPU: a moment in its stream.
class Event {
  public:
    explicit Event(Context& c) : context(&c) { c.check(c.driver().eventCreate(&handle, 0), "an event"); }
    ~Event() { context->driver().eventDestroy(handle); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    void record() { context->check(context->driver().eventRecord(handle, context->stream()), "an event"); }
    void wait(std::string_view doing) { context->check(context->driver().eventSynchronize(handle), doing); }
    double secondsSince(const Event& begin) const {
        float milliseconds = 0;
        context->check(context->driver().eventElapsedTime(&milliseconds, begin.handle, handle), "the time of an event");
        return static_cast<double>(milliseconds) * 1e-3;
    }

  private:
    Context* context;
    EventHandle handle = nullptr;
};

} // namespace warplight::cuda
