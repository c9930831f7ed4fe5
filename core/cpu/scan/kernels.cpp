// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/targets.h" // before any of Highway's

#include "core/cpu/scan/kernels.h"

#include <algorithm>
#include <complex>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/scan/kernels.cpp"
#include "hwy/foreach_target.h" // IWYU pragma: keep

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace warplight::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using Vector = hn::Vec<F>;
constexpr int64_t lanesOf = HWY_LANES(float);

/// A vector of numbers, real or complex.
struct Real {
    using Number = float;
    Vector x;
    static HWY_INLINE Real set(float value) { return {hn::Set(F(), value)}; }
    static HWY_INLINE Real load(const float* from) { return {hn::LoadU(F(), from)}; }
    HWY_INLINE void store(float* to) const { hn::StoreU(x, F(), to); }
    template <class Use>
    HWY_INLINE void forFloats(const Use& use) const {
        use(x);
    }
    template <class Move>
    HWY_INLINE Real moved(const Move& move) const {
        return {move(x)};
    }
    template <class Join>
    static HWY_INLINE Real joined(const Real& lower, const Real& upper, const Join& join) {
        return {join(upper.x, lower.x)};
    }
};
struct Complex {
    using Number = std::complex<float>;
    Vector re, im;
    static HWY_INLINE Complex set(Number value) { return {hn::Set(F(), value.real()), hn::Set(F(), value.imag())}; }
    static HWY_INLINE Complex load(const Number* from) {
        Complex c;
        hn::LoadInterleaved2(F(), reinterpret_cast<const float*>(from), c.re, c.im);
        return c;
    }
    HWY_INLINE void store(Number* to) const { hn::StoreInterleaved2(re, im, F(), reinterpret_cast<float*>(to)); }
    template <class Use>
    HWY_INLINE void forFloats(const Use& use) const {
        HWY_ALIGN float both[2 * lanesOf];
        hn::StoreInterleaved2(re, im, F(), both);
        use(hn::Load(F(), both));
        use(hn::Load(F(), both + lanesOf));
    }
    template <class Move>
    HWY_INLINE Complex moved(const Move& move) const {
        return {move(re), move(im)};
    }
    template <class Join>
    static HWY_INLINE Complex joined(const Complex& lower, const Complex& upper, const Join& join) {
        return {join(upper.re, lower.re), join(upper.im, lower.im)};
    }
};

HWY_INLINE Real mul(const Real& a, const Real& x) { return {hn::Mul(a.x, x.x)}; }
HWY_INLINE Real mulAdd(const Real& a, const Real& x, const Real& b) { return {hn::MulAdd(a.x, x.x, b.x)}; }
HWY_INLINE Complex mul(const Complex& a, const Complex& x) {
    return {hn::NegMulAdd(a.im, x.im, hn::Mul(a.re, x.re)), hn::MulAdd(a.im, x.re, hn::Mul(a.re, x.im))};
}
HWY_INLINE Complex mulAdd(const Complex& a, const Complex& x, const Complex& b) {
    return {hn::NegMulAdd(a.im, x.im, hn::MulAdd(a.re, x.re, b.re)),
            hn::MulAdd(a.im, x.re, hn::MulAdd(a.re, x.im, b.im))};
}

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

/// The lanes of a vector of steps by Hillis and Steele: lane i becomes all steps up to i.
template <class V>
class LaneScan {
  public:
    HWY_INLINE LaneScan() {
        const F d;
        HWY_ALIGN int32_t index[lanesOf];
        for (int64_t level = 0, by = 1; by < lanesOf; ++level, by *= 2) {
            for (int64_t i = 0; i < lanesOf; ++i)
                index[i] = static_cast<int32_t>(std::max<int64_t>(i - by, 0));
            shift[level] = hn::SetTableIndices(d, index);
            begins[level] = hn::FirstN(d, static_cast<size_t>(by));
        }
        std::fill_n(index, lanesOf, static_cast<int32_t>(lanesOf - 1));
        last = hn::SetTableIndices(d, index);
    }
    HWY_INLINE void run(V& a, V& b) const {
        const V one = V::set(1.0f), zero = V::set(0.0f);
#pragma GCC unroll 4
        for (int level = 0; level < levels; ++level) {
            const auto earlier = [&](Vector x) HWY_ATTR { return hn::TableLookupLanes(x, shift[level]); };
            const auto choose = [&](Vector identity, Vector x)
                                    HWY_ATTR { return hn::IfThenElse(begins[level], identity, x); };
            const V earlierB = V::joined(b.moved(earlier), zero, choose);
            const V earlierA = V::joined(a.moved(earlier), one, choose);
            b = mulAdd(a, earlierB, b);
            a = mul(a, earlierA);
        }
    }
    HWY_INLINE V lastOf(const V& x) const {
        return x.moved([&](Vector y) HWY_ATTR { return hn::TableLookupLanes(y, last); });
    }

  private:
    static constexpr int levels = lanesOf == 16 ? 4 : lanesOf == 8 ? 3 : lanesOf == 4 ? 2 : lanesOf == 2 ? 1 : 0;
    using Index = decltype(hn::SetTableIndices(F(), static_cast<const int32_t*>(nullptr)));
    Index shift[4], last;
    hn::Mask<F> begins[4];
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

/// use(at, a, b) for each whole vector of steps: each lane all steps up to it, behind those of `before`.
template <class V>
class RunningPairs {
  public:
    HWY_INLINE RunningPairs() : beforeA(V::set(1.0f)), beforeB(V::set(0.0f)) {}
    template <class T, class Use>
    HWY_INLINE void run(const T* a, const T* b, int64_t count, int64_t ahead, const Use& use) {
        for (int64_t i = 0; i + lanesOf <= count; i += lanesOf) {
            for (int64_t byte = 0; byte < lanesOf * static_cast<int64_t>(sizeof(T)); byte += 64) {
                hwy::Prefetch(reinterpret_cast<const char*>(a + i + ahead) + byte);
                hwy::Prefetch(reinterpret_cast<const char*>(b + i + ahead) + byte);
            }
            V decay = V::load(a + i), made = V::load(b + i);
            lanes.run(decay, made);
            use(i, mul(decay, beforeA), mulAdd(decay, beforeB, made));
            const V lastA = lanes.lastOf(decay); // the same bits as the last lanes have
            beforeB = mulAdd(lastA, beforeB, lanes.lastOf(made));
            beforeA = mul(lastA, beforeA);
        }
    }
    /// The steps that are left, fewer than a vector.
    template <class T, class Use>
    HWY_INLINE void runEnd(const T* a, const T* b, int64_t count, const Use& use) {
        if (count == 0)
            return;
        T endA[lanesOf], endB[lanesOf];
        std::fill_n(endA, lanesOf, T{1}); // steps that change nothing
        std::fill_n(endB, lanesOf, T{0});
        std::copy_n(a, count, endA);
        std::copy_n(b, count, endB);
        run(endA, endB, lanesOf, 0, use);
    }

  private:
    const LaneScan<V> lanes;
    V beforeA, beforeB;
};

template <class V, class T>
HWY_INLINE void storeSome(const V& x, T* to, int64_t count) {
    T lane[lanesOf];
    x.store(lane);
    std::copy_n(lane, count, to);
}

constexpr int64_t fetchedAhead = 1024; ///< steps, of what comes from memory for the first time

template <class V, class T = typename V::Number>
ScanPair<T> pairs(const T* a, const T* b, T* toA, T* toB, int64_t count) {
    RunningPairs<V> running;
    const int64_t whole = count / lanesOf * lanesOf;
    running.run(a, b, whole, fetchedAhead, [&](int64_t at, const V& x, const V& y) HWY_ATTR {
        x.store(toA + at);
        y.store(toB + at);
    });
    running.runEnd(a + whole, b + whole, count - whole, [&](int64_t, const V& x, const V& y) HWY_ATTR {
        storeSome(x, toA + whole, count - whole);
        storeSome(y, toB + whole, count - whole);
    });
    return {toA[count - 1], toB[count - 1]};
}

template <class V, class T = typename V::Number>
void states(const T* a, const T* b, T state, T* h, int64_t count, bool stream) {
    const V before = V::set(state);
    RunningPairs<V> running;
    const int64_t whole = count / lanesOf * lanesOf;
    writeStates<V>(h, stream && whole > 0, [&](const auto& write) HWY_ATTR {
        running.run(a, b, whole, fetchedAhead,
                    [&](int64_t at, const V& x, const V& y) HWY_ATTR { write(at, mulAdd(x, before, y)); });
    });
    running.runEnd(a + whole, b + whole, count - whole, [&](int64_t, const V& x, const V& y) HWY_ATTR {
        storeSome(mulAdd(x, before, y), h + whole, count - whole);
    });
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
    T endA[lanesOf] = {}, endB[lanesOf] = {};
    std::copy_n(a + whole, count - whole, endA);
    std::copy_n(b + whole, count - whole, endB);
    storeSome(mulAdd(V::load(endA), before, V::load(endB)), h + whole, count - whole);
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
