// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <complex>
#include <cstdint>

namespace warplight::cpu {

/// What steps do to a state: h becomes a · h + b.
template <class T>
struct ScanPair {
    T a{1}, b{0};
};

/// Of complex numbers without what operator* does for infinities.
inline float product(float x, float y) { return x * y; }
inline std::complex<float> product(std::complex<float> x, std::complex<float> y) {
    return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}
template <class T>
T applied(const ScanPair<T>& pair, T state) {
    return product(pair.a, state) + pair.b;
}
template <class T>
ScanPair<T> combined(const ScanPair<T>& earlier, const ScanPair<T>& later) {
    return {product(later.a, earlier.a), applied(later, earlier.b)};
}

/// Building blocks of the scan's rungs, compiled once per instruction set, for T = float and std::complex<float>. Any
/// count.
template <class T>
struct ScanKernels {
    /// (toA, toB)[i] = (earlierA, earlierB)[i] then (a, b)[i].
    void (*combine)(const T* earlierA, const T* earlierB, const T* a, const T* b, T* toA, T* toB, int64_t count);
    /// (a, b)[i] = earlier then (a, b)[i].
    void (*combineAll)(ScanPair<T> earlier, T* a, T* b, int64_t count);
    /// h[i] = a[i] · h[i] + b[i].
    void (*step)(const T* a, const T* b, T* h, int64_t count);
    /// (toA, toB)[i] = steps 0 … i as one; returns all of them.
    ScanPair<T> (*pairs)(const T* a, const T* b, T* toA, T* toB, int64_t count);
    /// h[0 … count) from the state before it, bit for bit what pairs and then apply make. `stream`: h goes past the
    /// caches.
    void (*states)(const T* a, const T* b, T state, T* h, int64_t count, bool stream);
    /// h[i] = a[i] · state + b[i].
    void (*apply)(const T* a, const T* b, T state, T* h, int64_t count, bool stream);
};

/// The best for this machine, or what useTarget() chose.
template <class T>
const ScanKernels<T>& scanKernels();

} // namespace warplight::cpu
