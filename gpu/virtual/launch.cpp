#include "gpu/virtual/launch.h"

#include "gpu/error.h"
#include "gpu/virtual/ops/access.h"
#include "gpu/virtual/time_model.h"

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace warplight::vgpu {
namespace {

/// Blocks are handed out in the order of their numbers.
class Grid {
  public:
    explicit Grid(const Launch& l) : launch(l), blocks(l.grid.count()) {
        if (l.gpu) {
            const Occupancy held = occupancy(*l.gpu, static_cast<int64_t>(l.block.count()), l.registers, l.sharedBytes);
            caches.emplace(*l.gpu, *l.memory, blocks, held.blocks, l.sharedBytes);
        }
    }

    void work(Worker& worker) {
        Block block;
        std::vector<uint32_t> sectors;
        for (;;) {
            const uint64_t number = next.fetch_add(1);
            if (number >= blocks || number > failedAt.load(std::memory_order_relaxed))
                return;
            try {
                worker.output.clear();
                sectors.clear();
                worker.sectorStream = caches ? &sectors : nullptr;
                block.run(launch, worker, number);
                if (caches) {
                    std::vector<uint32_t> missed = caches->filter(sectors, worker.caches);
                    const std::scoped_lock lock(mutex);
                    caches->add(number, std::move(missed));
                }
            } catch (...) {
                const std::scoped_lock lock(mutex);
                if (number < failedAt) {
                    failedAt = number;
                    failure = std::current_exception();
                }
                return;
            }
            if (!worker.output.empty()) {
                const std::scoped_lock lock(mutex);
                output[number] = worker.output;
            }
        }
    }

    const Launch& launch;
    uint64_t blocks;
    std::atomic<uint64_t> next = 0, failedAt = UINT64_MAX;
    std::mutex mutex;
    std::exception_ptr failure;
    std::map<uint64_t, std::string> output;
    std::optional<CacheModel> caches;
};

} // namespace

LaunchResult runGrid(const Launch& launch, int threads) {
    Grid grid(launch);
    tbb::task_arena arena(threads > 0 ? threads : tbb::task_arena::automatic);
    // What depends on the order of atomics, or is watched, runs in order.
    const int workers =
        launch.program->orderedAtomics || launch.observer
            ? 1
            : static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(arena.max_concurrency()), grid.blocks));
    std::vector<Worker> states(static_cast<size_t>(std::max(workers, 1)));
    for (Worker& w : states) {
        w.counts.ops.resize(launch.program->ops.size());
        w.counts.accesses.resize(launch.program->accesses);
        w.counts.buffers.resize(launch.memory->all().size());
        w.patterns.resize(launch.program->accesses * phases);
    }
    if (workers <= 1) {
        grid.work(states[0]);
    } else {
        arena.execute([&] {
            tbb::task_group group;
            for (Worker& w : states)
                group.run([&grid, &w] { grid.work(w); });
            group.wait();
        });
    }
    if (grid.failure)
        std::rethrow_exception(grid.failure);
    LaunchResult result;
    // Findings merge by what and where; the one of the lowest block is kept.
    std::map<std::pair<int, std::string>, Finding> findings;
    for (const Worker& w : states) {
        result.counts.add(w.counts);
        result.caches.l1Reads += w.caches.l1Reads;
        result.caches.l1Hits += w.caches.l1Hits;
        for (const Finding& f : w.findings) {
            const auto [known, fresh] = findings.try_emplace({f.line, f.kind}, f);
            if (!fresh) {
                const uint64_t count = known->second.count + f.count;
                if (f.block < known->second.block)
                    known->second = f;
                known->second.count = count;
            }
        }
    }
    if (grid.caches)
        grid.caches->finish(result.caches);
    for (auto& [where, f] : findings)
        result.findings.push_back(std::move(f));
    for (auto& [block, text] : grid.output)
        result.output += text;
    return result;
}

} // namespace warplight::vgpu
