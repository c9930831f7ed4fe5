// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/parallel.h"

#include "core/error.h"

#include <algorithm>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace warplight::cpu {

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
        tbb::task_arena arena(used);
        arena.execute([&] { tbb::parallel_for(0, used, 1, drain, tbb::simple_partitioner()); });
    }
    if (stop())
        throw Cancelled();
}

} // namespace warplight::cpu
