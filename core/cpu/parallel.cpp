// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/parallel.h"

#include "core/error.h"

#include <algorithm>
#include <memory>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace warplight::cpu {
namespace {

/// Runs work in an arena of so many threads. A thread keeps the one it used last: its workers stay awake for a while,
/// those of a new one have to be woken, which takes longer than many a product of a small model.
template <class Work>
void inArena(int threads, const Work& work) {
    struct Kept {
        std::unique_ptr<tbb::task_arena> arena;
        bool busy = false;
    };
    thread_local Kept kept;
    if (kept.busy) { // this is part of what runs in it
        tbb::task_arena(threads).execute(work);
        return;
    }
    if (!kept.arena || kept.arena->max_concurrency() != threads)
        kept.arena = std::make_unique<tbb::task_arena>(threads);
    struct Busy {
        Kept& kept;
        explicit Busy(Kept& k) : kept(k) { kept.busy = true; }
        ~Busy() { kept.busy = false; }
    } const busy(kept);
    kept.arena->execute(work);
}

} // namespace

int workerCount(int requested) {
    const int machine = tbb::info::default_concurrency();
    return requested > 0 ? std::min(requested, machine) : machine;
}

void parallelItems(int64_t items, int workers, const std::atomic<bool>* cancel,
                   const std::function<void(int64_t, int)>& work) {
    std::atomic<int64_t> next{0};
    const auto stop = [cancel] { return cancel && cancel->load(std::memory_order_relaxed); };
    const auto drain = [&](int worker) {
        for (int64_t item; !stop() && (item = next.fetch_add(1)) < items;)
            work(item, worker);
    };
    const int used = static_cast<int>(std::min<int64_t>(workers, items));
    if (used <= 1) {
        drain(0);
    } else {
        inArena(used, [&] { tbb::parallel_for(0, used, 1, drain, tbb::simple_partitioner()); });
    }
    if (stop())
        throw Cancelled();
}

} // namespace warplight::cpu
