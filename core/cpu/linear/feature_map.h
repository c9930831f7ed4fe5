// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/linear/linear_attention.h"

#include <atomic>
#include <cstdint>
#include <vector>

namespace warplight::cpu {

/// Favor's ω [features, headDim], the same for a shape and seed: independent normal numbers, or blocks of headDim
/// orthogonal rows, each as long as a row of independent ones (Choromanski et al. 2020, section 2.4).
std::vector<double> favorProjection(const LinearShape& shape);

/// φ of one shape, with what it needs for that.
template <class T>
class Features {
  public:
    explicit Features(const LinearShape& shape);

    int64_t count() const { return features; }
    int64_t bytes() const { return static_cast<int64_t>(sizeof(T) * omega.size()); } ///< held
    /// y [rows, count] = φ of rows of Q [rows, headDim], each for itself.
    void ofQueries(const T* x, int64_t rows, T* y) const;
    /// The same of all keys of a head: those of a softmax, and of favor that is stabilised, look at one another.
    void ofKeys(const T* x, int64_t rows, T* y, const std::atomic<bool>* cancel = nullptr) const;
    /// dx [rows, headDim] = ∂/∂x of Σ dy ∘ y for features y = ofQueries(x). What favor takes off its exponents counts
    /// as a constant: it cancels in what is normalised.
    void queryGradient(const T* x, const T* y, const T* dy, int64_t rows, T* dx) const;
    /// The same of ofKeys; of all keys of a head where joinsKeys().
    void keyGradient(const T* x, const T* y, const T* dy, int64_t rows, T* dx) const;
    /// Whether a key's features depend on the other keys.
    bool joinsKeys() const;

  private:
    void ofRow(const T* x, T* y) const;
    void exponents(const T* x, T* y) const; ///< ω·x - |x|²/2
    void rowGradient(const T* x, const T* y, const T* dy, T* dx) const;

    const LinearShape shape;
    const int64_t features;
    const T root;         ///< √scale
    std::vector<T> omega; ///< [features, headDim]
};

extern template class Features<float>;
extern template class Features<double>;

} // namespace warplight::cpu
