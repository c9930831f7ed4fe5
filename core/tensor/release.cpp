// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tensor/release.h"

#include "core/tensor/pieces.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace warplight {
namespace {

/// One thread for all; made when first needed, and it lives as long as the program.
class Releaser {
  public:
    static Releaser& instance() {
        static auto* releaser = new Releaser; // its thread may outlive main()
        return *releaser;
    }

    void take(std::shared_ptr<void> owner) {
        const std::lock_guard lock(mutex);
        waiting.push_back(std::move(owner));
        changed.notify_all();
    }

    void waitUntilEmpty(const std::atomic<bool>* cancel) {
        constexpr std::chrono::milliseconds poll{10};
        std::unique_lock lock(mutex);
        while (!changed.wait_for(lock, poll, [&] { return waiting.empty() && !isReleasing; }))
            checkCancelled(cancel);
    }

  private:
    Releaser() {
        std::thread([this] { work(); }).detach();
    }

    void work() {
        std::unique_lock lock(mutex);
        for (;;) {
            changed.wait(lock, [&] { return !waiting.empty(); });
            std::shared_ptr<void> next = std::move(waiting.front());
            waiting.pop_front();
            isReleasing = true;
            lock.unlock();
            next.reset();
            lock.lock();
            isReleasing = false;
            changed.notify_all();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::shared_ptr<void>> waiting;
    bool isReleasing = false;
};

} // namespace

void releaseBeside(std::shared_ptr<void> owner) { Releaser::instance().take(std::move(owner)); }

void waitUntilReleased(const std::atomic<bool>* cancel) { Releaser::instance().waitUntilEmpty(cancel); }

} // namespace warplight
