// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/scan/scan.h"

#include "core/cpu/memory.h"
#include "core/cpu/scan/chunks.h"
#include "core/cpu/scan/stepped.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <complex>
#include <cstdint>
#include <fmt/format.h>
#include <type_traits>

namespace warplight::cpu {
namespace {

constexpr std::array<RungInfo<ScanRung>, 7> infos{{
    {ScanRung::Reference, "reference", "double precision, one step after the other",
     "nothing: this is the recurrence that every other rung is judged by"},
    {ScanRung::Serial, "serial", "one step after the other, a channel a thread",
     "single precision; each step waits for the one before it"},
    {ScanRung::HillisSteele, "hillis-steele", "log n steps: each element takes in the one 1, 2, 4 … before it",
     "all elements of a step at once, for log n times the work"},
    {ScanRung::Sklansky, "sklansky", "log n steps: a block takes in the last of the block before it",
     "half the work in the same number of steps, and in place; one element is read by a whole block"},
    {ScanRung::Blelloch, "blelloch", "up a tree and down again",
     "work of 2 n for twice the steps; on a CPU strides of memory spoil it"},
    {ScanRung::Chunked, "chunked", "chunks in the cache, states handed from chunk to chunk",
     "memory is read once: a chunk becomes pairs in the cache while the state before it is on its way"},
    {ScanRung::LookBack, "look-back", "chunks that look back for their state",
     "a chunk does not wait for the state of its neighbour: pairs of chunks that have no state yet are enough"},
}};

constexpr int64_t spreadLength = 1 << 16; ///< from here on all threads share a row; shorter ones have one each

/// Calls step(t) for every step of a row, looking at the token now and then.
template <class Step>
void inTurn(int64_t length, const std::atomic<bool>* cancel, const Step& step) {
    constexpr int64_t piece = 1 << 16;
    for (int64_t begin = 0; begin < length; begin += piece) {
        checkCancelled(cancel);
        for (int64_t t = begin; t < std::min(length, begin + piece); ++t)
            step(t);
    }
}

template <class T>
void reference(const ScanRow<T>& r, const std::atomic<bool>* cancel) {
    using D = std::conditional_t<std::is_same_v<T, float>, double, std::complex<double>>;
    const auto times = [](D x, D y) {
        if constexpr (std::is_same_v<T, float>)
            return x * y;
        else
            return D(x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real());
    };
    D state = r.h0 ? D(*r.h0) : D(0);
    inTurn(r.length, cancel, [&](int64_t t) {
        state = times(D(r.a[t]), state) + D(r.b[t]);
        r.h[t] = T(state);
    });
}

template <class T>
void serial(const ScanRow<T>& r, const std::atomic<bool>* cancel) {
    T state = r.h0 ? *r.h0 : T{0};
    inTurn(r.length, cancel, [&](int64_t t) { r.h[t] = state = applied<T>({r.a[t], r.b[t]}, state); });
}

int64_t scratchNumbers(ScanRung rung) {
    using Stepped = SteppedScan<float, Unrecorded>;
    return rung == ScanRung::HillisSteele ? Stepped::hillisSteeleScratch
           : rung == ScanRung::Sklansky   ? Stepped::sklanskyScratch
           : rung == ScanRung::Blelloch   ? Stepped::blellochScratch
                                          : 0;
}

template <class T>
void oneRow(ScanRung rung, const ScanRow<T>& row, T* scratch, int workers, const std::atomic<bool>* cancel) {
    Unrecorded none;
    SteppedScan<T, Unrecorded> stepped(row, workers, cancel, none);
    switch (rung) {
    case ScanRung::HillisSteele:
        return stepped.hillisSteele(scratch);
    case ScanRung::Sklansky:
        return stepped.sklansky(scratch);
    case ScanRung::Blelloch:
        return stepped.blelloch(scratch);
    case ScanRung::Serial:
        return serial(row, cancel);
    default:
        return reference(row, cancel);
    }
}

template <class T>
RunCost run(ScanRung rung, const ScanProblem& p, const RunOptions& options) {
    const int64_t channels = p.shape.channels, n = p.shape.length;
    const auto as = [](const float* x) { return reinterpret_cast<const T*>(x); };
    const ScanRow<T> first{as(p.a), as(p.b), as(p.h0), reinterpret_cast<T*>(p.h), n};
    Unrecorded none;
    if (rung == ScanRung::Chunked)
        return ChunkedScan<T, false, Unrecorded>(first, channels, p.shape.chunk, options, none).run();
    if (rung == ScanRung::LookBack)
        return ChunkedScan<T, true, Unrecorded>(first, channels, p.shape.chunk, options, none).run();
    const int workers = workerCount(options.threads);
    const auto row = [&](int64_t i) {
        return ScanRow<T>{first.a + i * n, first.b + i * n, first.h0 ? first.h0 + i : nullptr, first.h + i * n, n};
    };
    Workspace workspace;
    const int64_t scratchSize = scratchNumbers(rung) * n;
    if (scratchSize > 0 && n >= spreadLength) {
        T* scratch = workspace.take<T>(scratchSize);
        for (int64_t i = 0; i < channels; ++i)
            oneRow(rung, row(i), scratch, workers, options.cancel);
    } else {
        T* scratch = scratchSize > 0 ? workspace.take<T>(scratchSize * workers) : nullptr;
        parallelItems(channels, workers, options.cancel, [&](int64_t i, int worker) {
            oneRow(rung, row(i), scratch ? scratch + worker * scratchSize : nullptr, 1, options.cancel);
        });
    }
    return {workspace.bytes(), workers};
}

} // namespace

std::span<const RungInfo<ScanRung>> scanRungs() { return infos; }

void check(const ScanShape& s) {
    if (s.channels < 0 || s.length < 0)
        throw InputError(
            fmt::format("scan: {} channels of {} steps, expected none to be negative", s.channels, s.length));
    if (s.chunk < 1)
        throw InputError(fmt::format("scan: chunks of {} steps, expected at least 1", s.chunk));
}

RunCost scan(ScanRung rung, const ScanProblem& problem, const RunOptions& options) {
    check(problem.shape);
    if (problem.shape.channels == 0 || problem.shape.length == 0)
        return {};
    return problem.shape.complex ? run<std::complex<float>>(rung, problem, options)
                                 : run<float>(rung, problem, options);
}

int64_t extraBytesAtMost(ScanRung rung, const ScanShape& s, int threads) {
    if (rung == ScanRung::Chunked || rung == ScanRung::LookBack)
        return s.complex ? ChunkedScan<std::complex<float>, true, Unrecorded>::bytesAtMost(s.channels, s.length,
                                                                                           s.chunk, threads)
                         : ChunkedScan<float, true, Unrecorded>::bytesAtMost(s.channels, s.length, s.chunk, threads);
    const int64_t numbers = saturatedProduct(scratchNumbers(rung) * s.parts(), s.length);
    if (numbers == 0 || s.channels == 0)
        return 0;
    return buffers({floats(numbers, s.length >= spreadLength ? 1 : workerCount(threads))});
}

double usefulFlops(const ScanShape& s) {
    return (s.complex ? 8.0 : 2.0) * static_cast<double>(s.channels) * static_cast<double>(s.length);
}
double scanBackwardFlops(const ScanShape& s) {
    return (s.complex ? 14.0 : 3.0) * static_cast<double>(s.channels) * static_cast<double>(s.length);
}

} // namespace warplight::cpu
