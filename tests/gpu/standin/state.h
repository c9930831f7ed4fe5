// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/cuda/driver_types.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/standin/standin.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace standin {

using namespace warplight;
using cuda::Result;

struct Event {
    uint64_t records = 0, done = 0; ///< asked for; happened
    double time = 0;
};

struct Function {
    gpu::Kernel* kernel = nullptr;
    int64_t dynamicShared = 0; ///< that a launch may ask for
};

struct Module {
    std::unique_ptr<gpu::Module> module;
    std::map<std::string, Function> functions;
};

/// One GPU: the virtual GPU behind a queue.
struct Gpu {
    std::unique_ptr<gpu::Device> device;
    /// Of all streams: one order that the hardware may choose. NotReady: it waits for another GPU, and stays.
    std::deque<std::function<Result()>> queue;
    std::map<uint64_t, int64_t> allocations;
    std::set<void*> hostAllocations, streams;
    std::set<Event*> events;
    std::set<Module*> modules;
    int retained = 0;
    int64_t inUse = 0;
    double clock = 0;               ///< seconds
    Result stuck = Result::Success; ///< an error that stays

    gpu::Device& virtualGpu();
    /// Does what waits in the queue, all of it or until `until` says so. Stops at an error, which stays, and with
    /// NotReady at what waits for another GPU.
    Result run(const std::function<bool()>& until = [] { return false; });
    void freeEverything();
};

struct Fault {
    std::string function;
    int calls;
    Result result;
};

constexpr int mostDevices = 4;

struct State {
    int devices = 1, driver = 13000;
    int64_t memory = int64_t(2) << 30;
    bool pools = true;
    std::string model;
    std::deque<double> durations;
    std::vector<Fault> faults;
    int kernelFaultIn = 0; ///< kernels from now; 0: none
    Result kernelFault = Result::Success;
    StandinCounts counts{};
    std::string log, finding;
    Gpu gpus[mostDevices];
    std::recursive_mutex lock; ///< held in every call: GPUs of several threads take turns

    State(); ///< as WARPLIGHT_STANDIN says
    void note(const std::string& line) { log += line + '\n'; }
    /// The time that the next kernel takes, `computed` unless a test says otherwise.
    double duration(double computed);
};

State& state();
Gpu*& current(); ///< the calling thread's

constexpr int multiprocessors = 4, l2Bytes = 1 << 20, computeMajor = 8, computeMinor = 0, sharedBytes = 48 * 1024,
              sharedBytesOptIn = 163 * 1024;
constexpr const char* name = "Stand-in GPU";
constexpr const char* busId = "0000:65:00.0";

/// Counts the call, fails it if a test or an earlier error wants that, and turns exceptions into results.
Result call(const char* function, const std::function<Result()>& body);
/// The same for calls that need a context.
Result inContext(const char* function, const std::function<Result(Gpu&)>& body);
/// The same for calls that wait: `body` is tried again, with turns for other threads in between, until it is ready.
Result waitInContext(const char* function, const std::function<Result(Gpu&)>& body);

} // namespace standin
