// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace warplight::cpu {

/// Number of workers for a request: 0 = all the machine has, which is also the most there can be.
int workerCount(int requested);

/// Calls work(item, worker) for every item 0..items-1, in that order as workers become free, on `workers` threads that
/// stay warm between calls. worker is 0..workers-1 and never used by two threads at once. Throws Cancelled when the
/// token is set before all items are done, and whatever work throws.
void parallelItems(int64_t items, int workers, const std::atomic<bool>* cancel,
                   const std::function<void(int64_t item, int worker)>& work);

} // namespace warplight::cpu
