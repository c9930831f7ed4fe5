// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/launch.h"

#include "gpu/error.h"
#include "gpu/virtual/ops/access.h"
#include "gpu/virtual/time_model.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <utility>
#include <vector>

namespace warplight::vgpu {
namespace {

/// Blocks are handed out in the order of their numbers. One that waits for others is put aside and the next begins, up
/// to as many as the GPU holds at one time.
class Grid {
  public:
    explicit Grid(const Launch& l) : launch(l), blocks(l.grid.count()) {
        const GpuProfile& gpu = timedGpu(l);
        const Occupancy held = occupancy(gpu, static_cast<int64_t>(l.block.count()), l.registers, l.sharedBytes);
        together = static_cast<uint64_t>(gpu.multiprocessors) * static_cast<uint64_t>(std::max(held.blocks, 1));
        if (l.gpu)
            caches.emplace(*l.gpu, *l.memory, blocks, held.blocks, l.sharedBytes);
    }

    void work(Worker& worker) {
        for (std::unique_ptr<Block> spare;;) {
            Turn turn = next(std::move(spare));
            if (!turn.block)
                return;
            Block& block = *turn.block;
            bool ended = false;
            try {
                if (turn.begins)
                    block.begin(launch, worker, turn.number);
                ended = block.goOn(worker, turn.insists);
                if (ended)
                    finish(worker, block);
            } catch (...) {
                const std::scoped_lock lock(mutex);
                fail(turn.number);
                --running;
                news.notify_all();
                return;
            }
            const std::scoped_lock lock(mutex);
            --running;
            if (ended)
                spare = std::move(turn.block);
            else
                waiting[turn.number] = std::move(turn.block);
            if (!waiting.empty())
                news.notify_all();
        }
    }

    std::exception_ptr failure;
    std::map<uint64_t, std::string> output;
    std::optional<CacheModel> caches;

  private:
    struct Turn {
        std::unique_ptr<Block> block; ///< null: nothing is left
        uint64_t number = 0;
        bool begins = false, insists = false;
    };

    Turn next(std::unique_ptr<Block> spare) {
        std::unique_lock lock(mutex);
        for (;; news.wait_for(lock, std::chrono::milliseconds(1))) { // memory is written without a word
            for (auto at = waiting.begin(); at != waiting.end() && at->first <= failedAt; ++at)
                if (!at->second->yielded && at->second->mayGoOn())
                    return take(at, false);
            if (begun < blocks && begun <= failedAt && running + waiting.size() < together) {
                ++running;
                return {spare ? std::move(spare) : std::make_unique<Block>(), begun++, true, false};
            }
            if (waiting.empty() || waiting.begin()->first > failedAt)
                return {};
            const auto hasYielded = [](const auto& other) { return other.second->yielded; };
            auto at = nextAfter(yielder, hasYielded);
            if (at != waiting.end() && at->first <= failedAt) {
                yielder = at->first;
                return take(at, false);
            }
            if (running > 0)
                continue;
            // Nobody can go on, but a loop may end by itself. Each block in turn.
            const auto mayInsist = [](const auto& other) { return other.second->mayInsist(); };
            at = nextAfter(insisted, mayInsist);
            if (at != waiting.end()) {
                insisted = at->first;
                return take(at, true);
            }
            const std::string because =
                begun < blocks ? fmt::format("{} of {} blocks have begun, all wait, and no more fit on {} at one time",
                                             begun, blocks, timedGpu(launch).name)
                               : "all other blocks have ended or wait as well";
            at = std::find_if(waiting.begin(), waiting.end(), [](const auto& o) { return o.second->letLanesAhead(); });
            if (at != waiting.end()) {
                std::optional<Finding>& told = at->second->told;
                if (told && told->message.find(because) == std::string::npos)
                    told->message += "; " + because; // if that is no help
                return take(at, false);
            }
            try {
                waiting.begin()->second->stuck(because);
            } catch (const KernelFault&) {
                fail(waiting.begin()->first);
            }
            return {};
        }
    }

    using Waiting = std::map<uint64_t, std::unique_ptr<Block>>;

    /// The next one behind a number, all around, of which that holds.
    template <class Holds>
    Waiting::iterator nextAfter(uint64_t number, const Holds& holds) {
        const auto at = std::find_if(waiting.upper_bound(number), waiting.end(), holds);
        return at != waiting.end() ? at : std::find_if(waiting.begin(), waiting.end(), holds);
    }

    Turn take(Waiting::iterator at, bool insists) {
        ++running;
        Turn turn{std::move(at->second), at->first, false, insists};
        waiting.erase(at);
        return turn;
    }

    void finish(Worker& worker, Block& block) {
        if (caches) {
            std::vector<uint32_t> missed = caches->filter(warpsInTurn(block.sectors, block.turns), worker.caches);
            const std::scoped_lock lock(mutex);
            caches->add(block.number, std::move(missed));
        }
        if (!block.output.empty()) {
            const std::scoped_lock lock(mutex);
            output[block.number] = std::move(block.output);
        }
    }

    void fail(uint64_t number) {
        if (number < failedAt) {
            failedAt = number;
            failure = std::current_exception();
        }
    }

    const Launch& launch;
    const uint64_t blocks;
    uint64_t together = 1; ///< blocks that have begun and not ended
    std::mutex mutex;      ///< of all below
    std::condition_variable news;
    Waiting waiting;
    uint64_t begun = 0, running = 0, insisted = 0, yielder = 0, failedAt = UINT64_MAX;
};

} // namespace

LaunchResult runGrid(const Launch& launch, int threads) {
    Grid grid(launch);
    tbb::task_arena arena(threads > 0 ? threads : tbb::task_arena::automatic);
    // What depends on the order of blocks, or is watched, runs in order.
    const int workers =
        launch.program->ordered || launch.observer
            ? 1
            : static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(arena.max_concurrency()), launch.grid.count()));
    std::vector<Worker> states(static_cast<size_t>(std::max(workers, 1)));
    for (Worker& w : states) {
        w.counts.ops.resize(launch.program->ops.size());
        w.counts.accesses.resize(launch.program->accesses);
        w.counts.buffers.resize(launch.memory->all().size());
        w.aside = w.counts;
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
