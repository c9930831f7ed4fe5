// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/scan/kernels.h"

#include <algorithm>
#include <complex>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/scan/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "core/cpu/scan/number-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
/// Calls work(a, b, h, lanes) with pointers to whole vectors of numbers: the last of them in buffers, behind whose
/// numbers there are steps that change nothing.
template <class V, class T, class Work>
HWY_INLINE void forVectors(const T* a, const T* b, T* h, int64_t count, const Work& work) {
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf)
        work(a + i, b + i, h + i);
    if (i == count)
        return;
    T endA[lanesOf], endB[lanesOf], endH[lanesOf];
    std::fill_n(endA, lanesOf, T{1});
    std::fill_n(endB, lanesOf, T{0});
    std::fill_n(endH, lanesOf, T{0});
    std::copy_n(a + i, count - i, endA);
    std::copy_n(b + i, count - i, endB);
    std::copy_n(h + i, count - i, endH);
    work(endA, endB, endH);
    std::copy_n(endH, count - i, h + i);
}

template <class V, class T = typename V::Number>
void combine(const T* earlierA, const T* earlierB, const T* a, const T* b, T* toA, T* toB, int64_t count) {
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf) {
        const V later = V::load(a + i);
        mulAdd(later, V::load(earlierB + i), V::load(b + i)).store(toB + i);
        mul(later, V::load(earlierA + i)).store(toA + i);
    }
    for (; i < count; ++i) {
        const ScanPair<T> both = combined<T>({earlierA[i], earlierB[i]}, {a[i], b[i]});
        toA[i] = both.a;
        toB[i] = both.b;
    }
}

template <class V, class T = typename V::Number>
void combineAll(ScanPair<T> earlier, T* a, T* b, int64_t count) {
    const V earlierA = V::set(earlier.a), earlierB = V::set(earlier.b);
    int64_t i = 0;
    for (; i + lanesOf <= count; i += lanesOf) {
        const V later = V::load(a + i);
        mulAdd(later, earlierB, V::load(b + i)).store(b + i);
        mul(later, earlierA).store(a + i);
    }
    for (; i < count; ++i) {
        const ScanPair<T> both = combined<T>(earlier, {a[i], b[i]});
        a[i] = both.a;
        b[i] = both.b;
    }
}

template <class V, class T = typename V::Number>
void step(const T* a, const T* b, T* h, int64_t count) {
    forVectors<V>(a, b, h, count,
                  [](const T* x, const T* y, T* z) HWY_ATTR { mulAdd(V::load(x), V::load(z), V::load(y)).store(z); });
}

/// The lanes of a vector by Hillis and Steele, in the order in time that transpose has given them.
template <class V>
class LaneScan {
  public:
    HWY_INLINE LaneScan() {
        const F d;
        constexpr int64_t blocks = lanesOf >= 4 ? lanesOf / 4 : 1;
        const auto timeOf = [](int64_t lane) { return lane % 4 * blocks + lane / 4; };
        const auto laneAt = [](int64_t time) { return time % blocks * 4 + time / blocks; };
        HWY_ALIGN int32_t index[lanesOf];
        HWY_ALIGN float begins[lanesOf];
        for (int64_t level = 0, by = 1; level == 0 || by < lanesOf; ++level, by *= 2) {
            for (int64_t lane = 0; lane < lanesOf; ++lane) {
                index[lane] = static_cast<int32_t>(laneAt(std::max<int64_t>(timeOf(lane) - by, 0)));
                begins[lane] = timeOf(lane) < by ? 1.0f : 0.0f;
            }
            shift[level] = hn::SetTableIndices(d, index);
            isFirst[level] = hn::Gt(hn::Load(d, begins), hn::Zero(d));
        }
        std::fill_n(index, lanesOf, static_cast<int32_t>(lanesOf - 1));
        last = hn::SetTableIndices(d, index);
    }
    /// Each lane becomes all lanes up to it.
    HWY_INLINE void run(V& a, V& b) const {
#pragma GCC unroll 4
        for (int level = 0; level < levels; ++level) {
            const V earlierA = earlier(a, 1, level), earlierB = earlier(b, 0, level);
            b = mulAdd(a, earlierB, b);
            a = mul(a, earlierA);
        }
    }
    /// Each lane that 2^level lanes before it; `otherwise` where there is none.
    HWY_INLINE V earlier(const V& x, float otherwise, int level) const {
        const auto move = [&](Vector y) HWY_ATTR { return hn::TableLookupLanes(y, shift[level]); };
        const auto choose = [&](Vector identity, Vector y)
                                HWY_ATTR { return hn::IfThenElse(isFirst[level], identity, y); };
        return V::joined(x.moved(move), V::set(otherwise), choose);
    }
    HWY_INLINE V lastOf(const V& x) const {
        return x.moved([&](Vector y) HWY_ATTR { return hn::TableLookupLanes(y, last); });
    }

  private:
    static constexpr int levels = lanesOf == 16 ? 4 : lanesOf == 8 ? 3 : lanesOf == 4 ? 2 : lanesOf == 2 ? 1 : 0;
    using Index = decltype(hn::SetTableIndices(F(), static_cast<const int32_t*>(nullptr)));
    Index shift[4], last;
    hn::Mask<F> isFirst[4];
};

/// Sends floats that come a vector at a time past the caches, in vectors that are aligned where they go.
class Streamed {
  public:
    explicit HWY_INLINE Streamed(float* target) : to(target) {
        const F d;
        const auto past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(to) / sizeof(float) % lanesOf);
        before = past == 0 ? 0 : lanesOf - past;
        HWY_ALIGN int32_t index[lanesOf];
        for (int64_t i = 0; i < lanesOf; ++i)
            index[i] = static_cast<int32_t>((i + before) % lanesOf);
        rotation = hn::SetTableIndices(d, index);
        ofEarlier = hn::FirstN(d, static_cast<size_t>(lanesOf - before));
        earlier = hn::Zero(d);
    }
    HWY_INLINE void put(Vector x) {
        const F d;
        const Vector rotated = hn::TableLookupLanes(x, rotation);
        if (at > 0)
            hn::Stream(hn::IfThenElse(ofEarlier, earlier, rotated), d, to + before + at - lanesOf);
        else
            writeSome(x, 0, before);
        earlier = rotated;
        at += lanesOf;
    }
    HWY_INLINE void finish() {
        writeSome(earlier, before + at - lanesOf, lanesOf - before);
        hwy::FlushStream();
    }

  private:
    HWY_INLINE void writeSome(Vector x, int64_t from, int64_t count) {
        HWY_ALIGN float lane[lanesOf];
        hn::Store(x, F(), lane);
        std::copy_n(lane, count, to + from);
    }

    float* const to;
    int64_t at = 0, before; ///< floats that came; that lie before the first aligned vector
    decltype(hn::SetTableIndices(F(), static_cast<const int32_t*>(nullptr))) rotation;
    hn::Mask<F> ofEarlier; ///< lanes
    Vector earlier;
};

/// Where states of whole vectors go: as they come, or past the caches.
template <class V, class T, class Make>
HWY_INLINE void writeStates(T* h, bool stream, const Make& make) {
    if (!stream)
        return make([&](int64_t at, const V& made) HWY_ATTR { made.store(h + at); });
    Streamed out(reinterpret_cast<float*>(h));
    make([&](int64_t, const V& made) HWY_ATTR { made.forFloats([&](Vector x) HWY_ATTR { out.put(x); }); });
    out.finish();
}

constexpr int64_t groupSteps = 4 * lanesOf; ///< that are scanned together
constexpr int64_t fetchedAhead = 1024;      ///< steps, of what comes from memory for the first time

/// Of a group, whether there is any.
template <class T>
HWY_INLINE void fetchAhead(const T* group) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(group) + fetchedAhead * sizeof(T);
    for (uintptr_t byte = 0; byte < groupSteps * sizeof(T); byte += 64)
        hwy::Prefetch(reinterpret_cast<const char*>(at + byte));
}

/// use(at, a, b) for each vector of whole groups of steps: each step's pair behind those before it.
template <class V>
class RunningPairs {
  public:
    HWY_INLINE RunningPairs() : beforeA(V::set(1.0f)), beforeB(V::set(0.0f)) {}
    template <class T, class Use>
    HWY_INLINE void run(const T* a, const T* b, int64_t count, const Use& use) {
        for (int64_t i = 0; i < count; i += groupSteps) {
            fetchAhead(a + i);
            fetchAhead(b + i);
            V x[4], y[4];
#pragma GCC unroll 4
            for (int n = 0; n < 4; ++n) {
                x[n] = V::load(a + i + n * lanesOf);
                y[n] = V::load(b + i + n * lanesOf);
            }
            transpose(x);
            transpose(y);
#pragma GCC unroll 4
            for (int n = 1; n < 4; ++n) { // four neighbours in a lane
                y[n] = mulAdd(x[n], y[n - 1], y[n]);
                x[n] = mul(x[n], x[n - 1]);
            }
            V upToA = x[3], upToB = y[3];
            lanes.run(upToA, upToB);
            const V ownA = lanes.earlier(upToA, 1, 0), ownB = lanes.earlier(upToB, 0, 0); // of the lanes before
            const V earlierA = mul(ownA, beforeA), earlierB = mulAdd(ownA, beforeB, ownB);
#pragma GCC unroll 4
            for (int n = 0; n < 4; ++n) {
                y[n] = mulAdd(x[n], earlierB, y[n]);
                x[n] = mul(x[n], earlierA);
            }
            const V lastA = lanes.lastOf(upToA);
            beforeB = mulAdd(lastA, beforeB, lanes.lastOf(upToB));
            beforeA = mul(lastA, beforeA);
            use(i, x, y);
        }
    }
    /// The steps that are left, fewer than a group: use(a, b) of arrays.
    template <class T, class Use>
    HWY_INLINE void runEnd(const T* a, const T* b, int64_t count, const Use& use) {
        if (count == 0)
            return;
        T endA[groupSteps], endB[groupSteps];
        std::fill_n(endA, groupSteps, T{1}); // steps that change nothing
        std::fill_n(endB, groupSteps, T{0});
        std::copy_n(a, count, endA);
        std::copy_n(b, count, endB);
        run(endA, endB, groupSteps, [&](int64_t, V(&x)[4], V(&y)[4]) HWY_ATTR {
            storeGroup(x, endA);
            storeGroup(y, endB);
        });
        use(endA, endB);
    }
    template <class T>
    static HWY_INLINE void storeGroup(V (&x)[4], T* to) {
        transpose(x);
#pragma GCC unroll 4
        for (int n = 0; n < 4; ++n)
            x[n].store(to + n * lanesOf);
    }

  private:
    const LaneScan<V> lanes;
    V beforeA, beforeB;
};

template <class V, class T = typename V::Number>
ScanPair<T> pairs(const T* a, const T* b, T* toA, T* toB, int64_t count) {
    RunningPairs<V> running;
    const int64_t whole = count / groupSteps * groupSteps;
    running.run(a, b, whole, [&](int64_t at, V(&x)[4], V(&y)[4]) HWY_ATTR {
        RunningPairs<V>::storeGroup(x, toA + at);
        RunningPairs<V>::storeGroup(y, toB + at);
    });
    running.runEnd(a + whole, b + whole, count - whole, [&](const T* x, const T* y) {
        std::copy_n(x, count - whole, toA + whole);
        std::copy_n(y, count - whole, toB + whole);
    });
    return {toA[count - 1], toB[count - 1]};
}

template <class V, class T = typename V::Number>
void apply(const T* a, const T* b, T state, T* h, int64_t count, bool stream) {
    const V before = V::set(state);
    const int64_t whole = count / lanesOf * lanesOf;
    writeStates<V>(h, stream && whole > 0, [&](const auto& write) HWY_ATTR {
        for (int64_t i = 0; i < whole; i += lanesOf)
            write(i, mulAdd(V::load(a + i), before, V::load(b + i)));
    });
    if (whole == count)
        return;
    T endA[lanesOf] = {}, endB[lanesOf] = {}, endH[lanesOf];
    std::copy_n(a + whole, count - whole, endA);
    std::copy_n(b + whole, count - whole, endB);
    mulAdd(V::load(endA), before, V::load(endB)).store(endH);
    std::copy_n(endH, count - whole, h + whole);
}

template <class V, class T = typename V::Number>
void states(const T* a, const T* b, T state, T* h, int64_t count, bool stream) {
    const V before = V::set(state);
    RunningPairs<V> running;
    const int64_t whole = count / groupSteps * groupSteps;
    writeStates<V>(h, stream && whole > 0, [&](const auto& write) HWY_ATTR {
        running.run(a, b, whole, [&](int64_t at, V(&x)[4], V(&y)[4]) HWY_ATTR {
            V made[4];
#pragma GCC unroll 4
            for (int n = 0; n < 4; ++n)
                made[n] = mulAdd(x[n], before, y[n]);
            transpose(made);
#pragma GCC unroll 4
            for (int n = 0; n < 4; ++n)
                write(at + n * lanesOf, made[n]);
        });
    });
    running.runEnd(a + whole, b + whole, count - whole,
                   [&](const T* x, const T* y) { apply<V>(x, y, state, h + whole, count - whole, false); });
}

template <class V>
const ScanKernels<typename V::Number>* tableOf() {
    static const ScanKernels<typename V::Number> ofTarget{combine<V>, combineAll<V>, step<V>,
                                                          pairs<V>,   states<V>,     apply<V>};
    return &ofTarget;
}
const ScanKernels<float>* realScanTable() { return tableOf<Real>(); }
const ScanKernels<std::complex<float>>* complexScanTable() { return tableOf<Complex>(); }

} // namespace warplight::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace warplight::cpu {
HWY_EXPORT(realScanTable);
HWY_EXPORT(complexScanTable);
template <>
const ScanKernels<float>& scanKernels<float>() {
    return *HWY_DYNAMIC_DISPATCH(realScanTable)();
}
template <>
const ScanKernels<std::complex<float>>& scanKernels<std::complex<float>>() {
    return *HWY_DYNAMIC_DISPATCH(complexScanTable)();
}
} // namespace warplight::cpu
#endif
