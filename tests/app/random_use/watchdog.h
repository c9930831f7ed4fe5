// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/app/random_use/journal.h"

#include <atomic>
#include <cstdint>
#include <pthread.h>
#include <thread>

namespace warplight::app {

/// A thread beside the window. It aborts a window that does not come back to its event loop within 5 s (of waiting
/// or of its own work), with the
/// journal, the state and (from the signal that ends it) the stack of the main thread; and it ends engines whose
/// memory would harm the machine.
class Watchdog {
  public:
    /// To be made on the main thread.
    explicit Watchdog(Journal& journal);
    ~Watchdog();

    void alive() { ++beats; } ///< to be said by the window whenever it handles an event
    /// How often engines were ended since they had grown too large.
    int enginesEnded() const { return ended; }

  private:
    void watch();
    void lookAtMemory();

    Journal& journal;
    const pthread_t mainThread = pthread_self();
    std::atomic<uint64_t> beats = 0;
    std::atomic<bool> ending = false;
    std::atomic<int> ended = 0;
    std::thread thread;
};

} // namespace warplight::app
