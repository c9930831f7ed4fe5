// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs in which all of a row takes a step before any of it takes the next.
#pragma once

#include "core/cpu/parallel.h"
#include "core/cpu/scan/kernels.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

namespace warplight::cpu {

/// One channel. `h0` null: the state before the first step is 0.
template <class T>
struct ScanRow {
    const T *a = nullptr, *b = nullptr, *h0 = nullptr;
    T* h = nullptr;
    int64_t length = 0;
};

/// Told nothing; ScanRecorder (recorder.cpp) has the same functions.
struct Unrecorded {
    static constexpr bool records = false;
    void begin(const char*) {}
    void combine(int64_t /*from*/, int64_t /*middle*/, int64_t /*into*/, bool /*state*/ = false) {}
    void barrier() {}
    template <class T>
    void end(const T* /*a*/, const T* /*b*/) {}
    template <class T>
    void pairsEnd(const T* /*a*/, const T* /*b*/, int64_t /*begin*/, int64_t /*count*/) {}
    template <class T>
    void stateEnd(const T&, int64_t /*begin*/, int64_t /*at*/) {}
    template <class T>
    void statesEnd(const T* /*h*/, int64_t /*begin*/, int64_t /*count*/) {}
    template <class T>
    void appliedEnd(const T* /*h*/, int64_t /*begin*/, int64_t /*count*/) {}
};

/// One row by one of the stepped rungs. The pieces of a step are spread over `workers`; bits do not depend on it.
template <class T, class Recorder>
class SteppedScan {
  public:
    SteppedScan(const ScanRow<T>& r, int w, const std::atomic<bool>* c, Recorder& told)
        : row(r), workers(w), cancel(c), recorder(told) {}

    /// Numbers that `scratch` has room for, by rung.
    static constexpr int64_t hillisSteeleScratch = 4, sklanskyScratch = 1, blellochScratch = 2;

    /// Step by step each element takes in the one 1, 2, 4 … before it, from one pair of arrays to another.
    void hillisSteele(T* scratch) {
        const int64_t n = row.length;
        T *a = scratch, *b = scratch + n, *nextA = scratch + 2 * n, *nextB = scratch + 3 * n;
        copy(a, b);
        for (int64_t by = 1; by < n; by *= 2) {
            recorder.begin("step");
            T* const to = 2 * by >= n ? row.h : nextB;
            pieces(n, [&](int64_t begin, int64_t end) {
                const int64_t kept = std::clamp(by, begin, end);
                std::copy(a + begin, a + kept, nextA + begin);
                std::copy(b + begin, b + kept, to + begin);
                kernel.combine(a + kept - by, b + kept - by, a + kept, b + kept, nextA + kept, to + kept, end - kept);
            });
            if constexpr (Recorder::records)
                for (int64_t i = by; i < n; ++i)
                    recorder.combine(std::max<int64_t>(i - 2 * by + 1, 0), i - by + 1, i);
            std::swap(a, nextA);
            std::swap(b, nextB);
            recorder.barrier();
            recorder.end(a, to);
        }
        if (n == 1)
            row.h[0] = b[0];
    }

    /// In each pair of neighbouring blocks of 1, 2, 4 … the second takes in the last of the first.
    void sklansky(T* a) {
        const int64_t n = row.length;
        T* const b = row.h;
        copy(a, b);
        for (int64_t half = 1; half < n; half *= 2) {
            recorder.begin("step");
            const auto block = [&](int64_t from, int64_t to) { // of a second half
                const int64_t middle = from / half * half;
                const ScanPair<T> earlier{a[middle - 1], b[middle - 1]};
                if (half >= callFrom) {
                    kernel.combineAll(earlier, a + from, b + from, to - from);
                    return;
                }
                for (int64_t i = from; i < to; ++i) {
                    const ScanPair<T> both = combined<T>(earlier, {a[i], b[i]});
                    a[i] = both.a;
                    b[i] = both.b;
                }
            };
            pieces(n, [&](int64_t begin, int64_t end) {
                for (int64_t first = begin / (2 * half) * 2 * half; first < end; first += 2 * half) {
                    const int64_t from = std::max(begin, first + half), to = std::min(end, first + 2 * half);
                    if (from < to)
                        block(from, to);
                }
            });
            if constexpr (Recorder::records)
                for (int64_t i = 0; i < n; ++i)
                    if (i & half)
                        recorder.combine(i / half * half - half, i / half * half, i);
            recorder.barrier();
            recorder.end(a, b);
        }
    }

    /// Up a tree of blocks that become twice as long, then states down it: a right child's is its left sibling's after
    /// it.
    void blelloch(T* scratch) {
        const int64_t n = row.length;
        T *a = scratch, *b = scratch + n, *h = row.h;
        pieces(n, [&](int64_t begin, int64_t end) {
            std::copy(row.a + begin, row.a + end, a + begin);
            std::copy(row.b + begin, row.b + end, b + begin);
        });
        int64_t half = 1;
        for (; 2 * half <= n; half *= 2) {
            recorder.begin("up");
            pieces(n / (2 * half), [&](int64_t begin, int64_t end) {
                for (int64_t node = begin; node < end; ++node) {
                    const int64_t left = (2 * node + 1) * half - 1, into = left + half;
                    const ScanPair<T> both = combined<T>({a[left], b[left]}, {a[into], b[into]});
                    a[into] = both.a;
                    b[into] = both.b;
                }
            });
            if constexpr (Recorder::records)
                for (int64_t node = 0; node < n / (2 * half); ++node)
                    recorder.combine(2 * node * half, (2 * node + 1) * half, (2 * node + 2) * half - 1);
            recorder.barrier();
            recorder.end(a, b);
        }
        h[0] = row.h0 ? *row.h0 : T{0};
        for (half = half < n ? half : half / 2; half >= 1; half /= 2) {
            recorder.begin("down");
            const int64_t nodes = (n + half - 1) / (2 * half); // with a right child
            pieces(nodes, [&](int64_t begin, int64_t end) {
                for (int64_t node = begin; node < end; ++node) {
                    const int64_t right = (2 * node + 1) * half;
                    h[right] = applied<T>({a[right - 1], b[right - 1]}, h[right - half]);
                }
            });
            if constexpr (Recorder::records)
                for (int64_t node = 0; node < nodes; ++node)
                    recorder.combine(2 * node * half, (2 * node + 1) * half, (2 * node + 1) * half, true);
            recorder.barrier();
            recorder.end(a, h);
        }
        recorder.begin("own step");
        pieces(n,
               [&](int64_t begin, int64_t end) { kernel.step(row.a + begin, row.b + begin, h + begin, end - begin); });
        if constexpr (Recorder::records)
            for (int64_t i = 0; i < n; ++i)
                recorder.combine(i, i, i, true);
        recorder.end(row.a, static_cast<const T*>(h));
    }

  private:
    static constexpr int64_t piece = 1 << 14;
    static constexpr int64_t callFrom = 16; ///< a kernel's call takes longer than blocks that are shorter

    template <class Work>
    void pieces(int64_t count, const Work& work) const {
        parallelItems((count + piece - 1) / piece, workers, cancel,
                      [&](int64_t item, int) { work(item * piece, std::min(count, (item + 1) * piece)); });
    }
    /// The row with h0 in its first step.
    void copy(T* a, T* b) const {
        pieces(row.length, [&](int64_t begin, int64_t end) {
            std::copy(row.a + begin, row.a + end, a + begin);
            std::copy(row.b + begin, row.b + end, b + begin);
        });
        if (row.h0)
            b[0] = applied<T>({a[0], b[0]}, *row.h0);
    }

    const ScanRow<T>& row;
    const int workers;
    const std::atomic<bool>* const cancel;
    Recorder& recorder;
    const ScanKernels<T>& kernel = scanKernels<T>();
};

} // namespace warplight::cpu
