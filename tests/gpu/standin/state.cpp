// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gpu/standin/state.h"

#include "gpu/error.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <new>
#include <sstream>
#include <thread>
#include <utility>

namespace standin {
namespace {

/// "The process must be terminated and relaunched", says the CUDA driver API of these; after the others of them the
/// context is gone as well.
bool stays(Result result) {
    switch (static_cast<int>(result)) {
    case 4:   // deinitialized
    case 214: // uncorrectable ECC error
    case 220: // uncorrectable NVLink error
    case 226: // contained error
    case 700: // illegal address
    case 702: // timeout
    case 709: // context is destroyed
    case 710: // assertion
    case 714: // hardware stack error
    case 715: // illegal instruction
    case 716: // misaligned address
    case 717: // invalid address space
    case 718: // invalid program counter
    case 719: // launch failed
    case 721: // tensor memory leak
    case 911: // external device
    case 999: // unknown
        return true;
    default:
        return false;
    }
}

void set(State& s, const std::string& name, const std::string& value) {
    const size_t first = value.find(':'), second = value.find(':', first + 1);
    if (name == "devices")
        s.devices = std::stoi(value);
    else if (name == "driver")
        s.driver = std::stoi(value);
    else if (name == "memory")
        s.memory = std::stoll(value);
    else if (name == "pools")
        s.pools = value != "0";
    else if (name == "fault")
        s.faults.push_back({value.substr(0, first), std::stoi(value.substr(first + 1)),
                            static_cast<Result>(std::stoi(value.substr(second + 1)))});
    else if (name == "kernelFault") {
        s.kernelFaultIn = std::stoi(value);
        s.kernelFault = static_cast<Result>(std::stoi(value.substr(first + 1)));
    }
}

} // namespace

State::State() {
    const char* wanted = std::getenv("WARPLIGHT_STANDIN");
    std::istringstream settings(wanted ? wanted : "");
    for (std::string setting; std::getline(settings, setting, ',');)
        set(*this, setting.substr(0, setting.find('=')), setting.substr(setting.find('=') + 1));
}

double State::duration(double computed) {
    if (durations.empty())
        return computed;
    const double seconds = durations.front();
    durations.pop_front();
    return seconds;
}

State& state() {
    static State s;
    return s;
}

Gpu*& current() {
    static thread_local Gpu* gpu = nullptr;
    return gpu;
}

gpu::Device& Gpu::virtualGpu() {
    if (!device)
        device = vgpu::makeVirtualDevice();
    return *device;
}

Result Gpu::run(const std::function<bool()>& until) {
    while (stuck == Result::Success && !queue.empty() && !until()) {
        auto work = std::move(queue.front());
        queue.pop_front();
        const Result result = work();
        if (result == Result::NotReady) {
            queue.push_front(std::move(work));
            return result;
        }
        stuck = result;
    }
    return stuck;
}

void Gpu::freeEverything() {
    if (stuck == Result::Success) {
        run();
        state().counts.leaked +=
            allocations.size() + hostAllocations.size() + streams.size() + events.size() + modules.size();
    }
    queue.clear();
    StandinCounts& counts = state().counts;
    for (Module* m : modules)
        delete m;
    for (Event* e : events)
        delete e;
    for (void* s : streams)
        std::free(s);
    for (void* h : hostAllocations)
        std::free(h);
    for (const auto& [address, bytes] : allocations)
        virtualGpu().release(address);
    counts.modules -= static_cast<int64_t>(modules.size());
    counts.events -= static_cast<int64_t>(events.size());
    counts.streams -= static_cast<int64_t>(streams.size());
    counts.hostAllocations -= static_cast<int64_t>(hostAllocations.size());
    counts.deviceAllocations -= static_cast<int64_t>(allocations.size());
    modules.clear(), events.clear(), streams.clear(), hostAllocations.clear(), allocations.clear();
    inUse = 0;
    stuck = Result::Success;
}

Result call(const char* function, const std::function<Result()>& body) {
    State& s = state();
    const std::lock_guard hold(s.lock);
    ++s.counts.calls;
    for (size_t i = 0; i < s.faults.size(); ++i) {
        Fault& fault = s.faults[i];
        if ((fault.function != "*" && fault.function != function) || --fault.calls > 0)
            continue;
        const Result result = fault.result;
        s.faults.erase(s.faults.begin() + static_cast<int64_t>(i));
        if (stays(result))
            for (Gpu& gpu : s.gpus)
                gpu.stuck = result;
        return result;
    }
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return Result::OutOfMemory;
    } catch (const std::exception&) {
        return Result::InvalidValue;
    }
}

Result inContext(const char* function, const std::function<Result(Gpu&)>& body) {
    return call(function, [&] {
        Gpu* gpu = current();
        if (!gpu || gpu->retained == 0)
            return Result::InvalidContext;
        return gpu->stuck != Result::Success ? gpu->stuck : body(*gpu);
    });
}

Result waitInContext(const char* function, const std::function<Result(Gpu&)>& body) {
    Result result = inContext(function, body);
    while (result == Result::NotReady) {
        std::this_thread::sleep_for(std::chrono::microseconds(20));
        const std::lock_guard hold(state().lock);
        Gpu* gpu = current();
        result = gpu->stuck != Result::Success ? gpu->stuck : body(*gpu);
    }
    return result;
}

} // namespace standin

using namespace standin;

extern "C" {

STANDIN_EXPORT void standinReset() {
    State& s = state();
    const StandinCounts live = s.counts;
    s.devices = 1, s.driver = 13000, s.memory = int64_t(2) << 30, s.pools = true;
    s.model.clear(), s.durations.clear(), s.faults.clear(), s.log.clear(), s.finding.clear();
    s.kernelFaultIn = 0;
    s.counts = {};
    s.counts.contexts = live.contexts, s.counts.streams = live.streams, s.counts.events = live.events;
    s.counts.modules = live.modules, s.counts.deviceAllocations = live.deviceAllocations;
    s.counts.hostAllocations = live.hostAllocations;
    for (Gpu& gpu : s.gpus)
        if (gpu.retained == 0) // it never opened, so nobody has seen its error off
            gpu.stuck = Result::Success;
}
STANDIN_EXPORT void standinSetDevices(int count) { state().devices = count; }
STANDIN_EXPORT void standinSetDriver(int version) { state().driver = version; }
STANDIN_EXPORT void standinSetMemory(int64_t bytes) { state().memory = bytes; }
STANDIN_EXPORT void standinSetPools(int supported) { state().pools = supported != 0; }
STANDIN_EXPORT void standinModel(const char* gpu) { state().model = gpu; }
STANDIN_EXPORT void standinDurations(const double* seconds, int count) {
    state().durations.assign(seconds, seconds + count);
}
STANDIN_EXPORT void standinFault(const char* function, int call, int result) {
    state().faults.push_back({function, call, static_cast<Result>(result)});
}
STANDIN_EXPORT void standinKernelFault(int kernel, int result) {
    state().kernelFaultIn = kernel;
    state().kernelFault = static_cast<Result>(result);
}
STANDIN_EXPORT StandinCounts standinCounts() { return state().counts; }
STANDIN_EXPORT const char* standinLog() { return state().log.c_str(); }
STANDIN_EXPORT const char* standinFinding() { return state().finding.c_str(); }

STANDIN_EXPORT void standinEnqueue(const char* what, void (*work)(void*), void* data) {
    current()->queue.push_back([gpu = current(), what = std::string(what), work, data] {
        const auto begin = std::chrono::steady_clock::now();
        work(data);
        gpu->clock += state().duration(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        ++state().counts.products;
        state().note(what);
        return Result::Success;
    });
}
STANDIN_EXPORT int standinDeviceOfStream(const void* stream) {
    const std::lock_guard hold(state().lock);
    for (int i = 0; i < mostDevices; ++i)
        if (state().gpus[i].streams.count(const_cast<void*>(stream)))
            return i;
    return -1;
}
STANDIN_EXPORT void standinEnqueueOn(int device, const char* what, int (*work)(void*), void* data) {
    const std::lock_guard hold(state().lock);
    state().gpus[device].queue.push_back([what = std::string(what), work, data] {
        const auto result = static_cast<Result>(work(data));
        if (result == Result::Success)
            state().note(what);
        return result;
    });
}
STANDIN_EXPORT void standinReadOn(int device, uint64_t address, void* to, int64_t bytes) {
    state().gpus[device].virtualGpu().download(to, address, bytes);
}
STANDIN_EXPORT void standinWriteOn(int device, uint64_t address, const void* from, int64_t bytes) {
    state().gpus[device].virtualGpu().upload(address, from, bytes);
}
STANDIN_EXPORT double standinClockOn(int device, double atLeast) {
    double& clock = state().gpus[device].clock;
    return clock = std::max(clock, atLeast);
}
STANDIN_EXPORT void standinLocked(void (*work)(void*), void* data) {
    const std::lock_guard hold(state().lock);
    work(data);
}
STANDIN_EXPORT void standinRead(uint64_t address, void* to, int64_t bytes) {
    current()->virtualGpu().download(to, address, bytes);
}
STANDIN_EXPORT void standinWrite(uint64_t address, const void* from, int64_t bytes) {
    current()->virtualGpu().upload(address, from, bytes);
}
}
