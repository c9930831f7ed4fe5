// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <thread>

namespace warplight::cli {

/// Tells a run that is busy from one that hangs: a run lives while it says something, looks at its wish to cancel, or
/// its thread computes. One that was asked to stop is measured by whether it does.
class LifeSigns {
  public:
    LifeSigns();
    ~LifeSigns();
    LifeSigns(const LifeSigns&) = delete;
    LifeSigns& operator=(const LifeSigns&) = delete;

    /// The calling thread begins with that run; end() when it is done.
    void begin(std::shared_ptr<const lab::Run> run, std::shared_ptr<const std::atomic<bool>> cancel);
    void end();

    /// Seconds since the last sign; 0 when nothing runs.
    double stalledSeconds();

  private:
    using Clock = std::chrono::steady_clock;
    void look(); ///< with the mutex held
    void watch();

    std::mutex mutex;
    std::condition_variable changed;
    bool stopping = false;
    std::shared_ptr<const lab::Run> current;
    std::shared_ptr<const std::atomic<bool>> cancelled;
    clockid_t processorClock{}; ///< of the thread that runs
    timespec computed{};        ///< by it, when it was last looked at
    Clock::time_point computedAt, cancelledAt;
    bool wasCancelled = false;
    std::thread watcher;
};

} // namespace warplight::cli
