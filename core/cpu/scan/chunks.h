// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs that go through rows in chunks, once: while a chunk is in the cache, its steps become one pair, its first
// state arrives, and its states are written.
#pragma once

#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rounding.h"
#include "core/cpu/scan/scan.h"
#include "core/cpu/scan/stepped.h"
#include "core/cpu/workspace.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
#include <thread>

namespace warplight::cpu {

/// What a chunk tells those behind it.
template <class T>
struct alignas(64) ScanSlot {
    enum Status { Nothing, Pair, State };
    ScanPair<T> pair; ///< of all its steps
    T state{0};       ///< after its last
    std::atomic<int> status{Nothing};
};

/// Rows [channels, length] in chunks, LookBack or not. A state goes from chunk to chunk by one product and one sum
/// always, whoever carries it how far: bits do not depend on which thread was where.
template <class T, bool LookBack, class Recorder>
class ChunkedScan {
  public:
    ChunkedScan(const ScanRow<T>& first, int64_t channels, int64_t chunk, const RunOptions& o, Recorder& told)
        : rows(first),
          channels(channels),
          steps(std::min(chunk, rows.length)),
          chunks(ceilDiv(rows.length, steps)),
          options(o),
          workers(workerCount(o.threads)),
          stream(chunks > 1 && static_cast<int64_t>(sizeof(T)) * channels * rows.length >= streamedBytes),
          recorder(told) {}

    RunCost run() {
        if (chunks > 1) {
            slots = workspace.take<ScanSlot<T>>(channels * chunks);
            for (int64_t i = 0; i < channels * chunks; ++i)
                new (slots + i) ScanSlot<T>();
        }
        const int64_t together = chunks > 1 ? 1 : std::max<int64_t>(1, scanChunk / steps); // rows of an item
        const int64_t all = channels * chunks;
        parallelItems(ceilDiv(all, together), workers, options.cancel, [&](int64_t item, int) {
            for (int64_t i = item * together; i < std::min(all, (item + 1) * together); ++i)
                oneChunk(i / chunks, i % chunks);
        });
        return {workspace.bytes(), workers};
    }

    static int64_t bytesAtMost(int64_t channels, int64_t length, int64_t chunk) {
        const int64_t count = length > chunk ? saturatedProduct(channels, ceilDiv(length, chunk)) : 0;
        return count == 0 ? 0 : buffers({saturatedProduct(count, sizeof(ScanSlot<T>))});
    }

  private:
    /// From so many bytes of h on nobody will find it in a cache.
    static constexpr int64_t streamedBytes = 1 << 24;

    void oneChunk(int64_t row, int64_t chunk) {
        const int64_t begin = chunk * steps, count = std::min(steps, rows.length - begin),
                      at = row * rows.length + begin;
        const T *a = rows.a + at, *b = rows.b + at;
        ScanSlot<T>* const own = slots + row * chunks + chunk;
        const bool isLast = chunk == chunks - 1;
        if (!isLast) {
            recorder.begin("pair of a chunk");
            own->pair = kernel.aggregate(a, b, count);
            if constexpr (Recorder::records)
                for (int64_t i = begin + 1; i < begin + count; ++i)
                    recorder.combine(begin, i, i);
            recorder.pairEnd(own->pair, begin + count - 1);
            if (LookBack)
                publish(*own, ScanSlot<T>::Pair);
        }
        const T before = chunk == 0 ? (rows.h0 ? rows.h0[row] : T{0}) : stateBefore(row, chunk);
        if (!isLast) {
            recorder.begin("state handed on");
            own->state = applied(own->pair, before);
            recorder.combine(begin, begin, begin + count - 1, true);
            recorder.stateEnd(own->state, begin + count - 1);
            publish(*own, ScanSlot<T>::State);
        }
        recorder.begin("states of a chunk");
        kernel.states(a, b, before, rows.h + at, count, stream, steps * workers);
        if constexpr (Recorder::records)
            for (int64_t i = begin; i < begin + count; ++i)
                recorder.combine(begin, i, i, true);
        recorder.statesEnd(rows.h + at, begin, count);
    }

    static void publish(ScanSlot<T>& slot, int status) { slot.status.store(status, std::memory_order_release); }

    /// Chunks are begun in order, so that one that is waited for is being computed, and the first waits for none.
    static int waitFor(const ScanSlot<T>& slot, int atLeast) {
        int status;
        for (int spins = 0; (status = slot.status.load(std::memory_order_acquire)) < atLeast; ++spins)
            if (spins % 1024 == 1023) // its thread may need this processor
                std::this_thread::yield();
        return status;
    }

    T stateBefore(int64_t row, int64_t chunk) {
        const ScanSlot<T>* const slot = slots + row * chunks;
        int64_t from = chunk - 1;
        if (LookBack) { // to the nearest that knows its state or, if none does, the first, which soon will
            while (waitFor(slot[from], from == 0 ? ScanSlot<T>::State : ScanSlot<T>::Pair) != ScanSlot<T>::State)
                --from;
        } else {
            waitFor(slot[from], ScanSlot<T>::State);
        }
        T state = slot[from].state;
        for (int64_t i = from + 1; i < chunk; ++i)
            state = applied(slot[i].pair, state);
        return state;
    }

    const ScanRow<T>& rows; ///< the first of them
    const int64_t channels, steps, chunks;
    const RunOptions& options;
    const int workers;
    const bool stream;
    Recorder& recorder;
    const ScanKernels<T>& kernel = scanKernels<T>();
    Workspace workspace;
    ScanSlot<T>* slots = nullptr;
};

} // namespace warplight::cpu
