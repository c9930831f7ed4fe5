// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/life_signs.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <utility>

namespace warplight::cli {
namespace {

constexpr std::chrono::milliseconds betweenLooks{50};

bool operator==(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

} // namespace

LifeSigns::LifeSigns() : watcher([this] { watch(); }) {}

LifeSigns::~LifeSigns() {
    {
        const std::lock_guard lock(mutex);
        stopping = true;
    }
    changed.notify_all();
    watcher.join();
}

void LifeSigns::begin(std::shared_ptr<const lab::Run> run, std::shared_ptr<const std::atomic<bool>> cancel) {
    const std::lock_guard lock(mutex);
    current = std::move(run);
    cancelled = std::move(cancel);
    wasCancelled = false;
    pthread_getcpuclockid(pthread_self(), &processorClock);
    clock_gettime(processorClock, &computed);
    computedAt = Clock::now();
    changed.notify_all();
}

void LifeSigns::end() {
    const std::lock_guard lock(mutex);
    current = nullptr;
}

void LifeSigns::look() {
    timespec now{};
    if (clock_gettime(processorClock, &now) == 0 && !(now == computed)) {
        computed = now;
        computedAt = Clock::now();
    }
    if (*cancelled && !wasCancelled)
        cancelledAt = Clock::now();
    wasCancelled = *cancelled;
}

double LifeSigns::stalledSeconds() {
    const std::lock_guard lock(mutex);
    if (!current)
        return 0;
    look();
    const Clock::time_point last = wasCancelled ? cancelledAt : std::max(computedAt, current->lastSign());
    return std::max(0.0, std::chrono::duration<double>(Clock::now() - last).count());
}

void LifeSigns::watch() {
    std::unique_lock lock(mutex);
    while (!stopping) {
        if (!current) {
            changed.wait(lock);
            continue;
        }
        look();
        changed.wait_for(lock, betweenLooks);
    }
}

} // namespace warplight::cli
