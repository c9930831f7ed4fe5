// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/timing.h"

#include "gpu/error.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::cuda {
namespace {

constexpr double longestWarmup = 60; // seconds

/// A released L2 buffer must not outlive an exception, and `inside` must not either.
template <class F>
class AtEnd {
  public:
    explicit AtEnd(F f) : act(std::move(f)) {}
    ~AtEnd() { act(); }

  private:
    F act;
};

} // namespace

double percentile(std::span<const double> sorted, double share) {
    const double at = share * static_cast<double>(sorted.size() - 1), below = std::floor(at);
    const auto i = static_cast<size_t>(below);
    return i + 1 < sorted.size() ? sorted[i] + (at - below) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

Timing::Timing(Context& c, DeviceMemory& m) : context(c), memory(m), begin(c), end(c), nvml(Nvml::open(c.pciBusId())) {}

Timing::~Timing() = default;

gpu::Measured Timing::measure(const gpu::Repetitions& repeat, const std::function<void()>& work,
                              const std::atomic<bool>* cancel, std::string_view doing) {
    if (repeat.warmups < 0 || repeat.measured < 1 ||
        !(repeat.warmupSeconds >= 0 && repeat.warmupSeconds <= longestWarmup))
        throw InputError(fmt::format("{}: {} warm-ups, {} s of them and {} repetitions, expected at least 0, 0 to {} s "
                                     "and at least 1",
                                     doing, repeat.warmups, repeat.warmupSeconds, repeat.measured, longestWarmup));
    context.enter();
    uint64_t flush = 0;
    const int64_t flushBytes = 2 * context.limits().l2Bytes;
    const bool cold = repeat.coldL2 && flushBytes > 0;
    if (cold)
        flush = memory.allocate(flushBytes, "to overwrite the L2 cache");
    inside = true;
    const AtEnd restore([&] {
        inside = false;
        if (cold)
            memory.release(flush);
    });
    std::vector<double> seconds, clocks;
    uint64_t throttled = 0;
    const auto once = [&](int turn, bool timed) {
        if (cancel && *cancel)
            throw Cancelled();
        if (cold)
            context.check(context.driver().memsetBytes(flush, static_cast<unsigned char>(turn), // other bytes each time
                                                       static_cast<size_t>(flushBytes), context.stream()),
                          "overwriting the L2 cache");
        begin.record();
        work();
        end.record();
        // The GPU is at it now, so these are the clocks it runs with.
        const Nvml::Reading reading = nvml && timed ? nvml->read() : Nvml::Reading{};
        end.wait(doing);
        if (!timed)
            return;
        seconds.push_back(end.secondsSince(begin));
        throttled |= reading.throttled;
        if (reading.smClockMHz > 0)
            clocks.push_back(reading.smClockMHz);
    };
    const auto start = std::chrono::steady_clock::now();
    const std::chrono::duration<double> warmup(repeat.warmupSeconds);
    for (int i = 0; i < repeat.warmups || std::chrono::steady_clock::now() - start < warmup; ++i)
        once(i, false);
    for (int i = 0; i < repeat.measured; ++i)
        once(i, true);
    std::sort(seconds.begin(), seconds.end());
    std::sort(clocks.begin(), clocks.end());
    return {percentile(seconds, 0.5),
            percentile(seconds, 0.1),
            percentile(seconds, 0.9),
            repeat.measured,
            clocks.empty() ? 0 : percentile(clocks, 0.5),
            throttleText(throttled)};
}

} // namespace warplight::cuda
