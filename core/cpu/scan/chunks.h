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
            pairs = workspace.take<T>(workers * 2 * steps);
        }
        const int64_t together = chunks > 1 ? 1 : std::max<int64_t>(1, scanChunk / steps); // rows of an item
        const int64_t all = channels * chunks;
        parallelItems(ceilDiv(all, together), workers, options.cancel, [&](int64_t item, int worker) {
            for (int64_t i = item * together; i < std::min(all, (item + 1) * together); ++i)
                oneChunk(i / chunks, i % chunks, pairs ? pairs + worker * 2 * steps : nullptr);
        });
        return {workspace.bytes(), workers};
    }

    static int64_t bytesAtMost(int64_t channels, int64_t length, int64_t chunk, int threads) {
        if (length <= chunk || channels == 0)
            return 0;
        const int64_t slotBytes =
            saturatedProduct(saturatedProduct(channels, ceilDiv(length, chunk)), sizeof(ScanSlot<T>));
        return buffers({slotBytes, saturatedProduct(saturatedProduct(2 * workerCount(threads), chunk), sizeof(T))});
    }

  private:
    /// From so many bytes of h on nobody will find it in a cache.
    static constexpr int64_t streamedBytes = 1 << 24;

    void oneChunk(int64_t row, int64_t chunk, T* pairA) {
        const int64_t begin = chunk * steps, count = std::min(steps, rows.length - begin),
                      at = row * rows.length + begin;
        const T *a = rows.a + at, *b = rows.b + at;
        T* const h = rows.h + at;
        ScanSlot<T>* const own = slots ? slots + row * chunks + chunk : nullptr;
        const bool isLast = chunk == chunks - 1;
        if (chunk == 0 || (!Recorder::records && isKnown(own[-1]))) {
            recorder.begin("states of a chunk");
            kernel.states(a, b, chunk > 0 ? own[-1].state : rows.h0 ? rows.h0[row] : T{0}, h, count, stream);
            if (!isLast) {
                own->state = h[count - 1];
                publish(*own, ScanSlot<T>::State);
            }
            if constexpr (Recorder::records)
                for (int64_t i = begin; i < begin + count; ++i)
                    recorder.combine(begin, i, i, true);
            recorder.statesEnd(h, begin, count);
            return;
        }
        T* const pairB = pairA + steps;
        recorder.begin("pairs of a chunk");
        own->pair = kernel.pairs(a, b, pairA, pairB, count);
        if constexpr (Recorder::records)
            for (int64_t i = begin + 1; i < begin + count; ++i)
                recorder.combine(begin, i, i);
        recorder.pairsEnd(pairA, pairB, begin, count);
        if (LookBack && !isLast)
            publish(*own, ScanSlot<T>::Pair);
        const T before = stateBefore(row, chunk);
        if (!isLast) {
            recorder.begin("state handed on");
            own->state = after(own->pair, before);
            recorder.combine(begin, begin, begin + count - 1, true);
            recorder.stateEnd(own->state, begin, begin + count - 1);
            publish(*own, ScanSlot<T>::State);
        }
        recorder.begin("state into a chunk");
        kernel.apply(pairA, pairB, before, h, count, stream);
        if constexpr (Recorder::records)
            for (int64_t i = begin; i < begin + count; ++i)
                recorder.combine(begin, begin, i, true);
        recorder.appliedEnd(h, begin, count);
    }

    /// By the vectors that write h: the bits are the same.
    T after(const ScanPair<T>& pair, T state) const {
        T result;
        kernel.apply(&pair.a, &pair.b, state, &result, 1, false);
        return result;
    }

    static bool isKnown(const ScanSlot<T>& slot) {
        return slot.status.load(std::memory_order_acquire) == ScanSlot<T>::State;
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
            state = after(slot[i].pair, state);
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
    T* pairs = nullptr; ///< 2 · steps of each worker
};

} // namespace warplight::cpu
