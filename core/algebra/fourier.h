// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

/// Fourier transforms of real numbers, FFTW's, in single and double precision. Results have the same bits in every run
/// and on any thread.
namespace warplight::algebra {

/// The smallest even length >= n that has no factors but 2, 3 and 5.
int64_t goodLength(int64_t n);

/// Transforms of one length n, in place: a buffer of 2 · bins() numbers, aligned to 64 bytes, holds n real ones or
/// bins() complex ones (real part, imaginary part), X_l = Σ x_k e^(-2πi lk / n). T is float or double. What is const
/// may be called from several threads, each with a buffer of its own.
template <class T>
class Fourier {
  public:
    explicit Fourier(int64_t n); ///< planned without measuring; n >= 1
    ~Fourier();
    Fourier(const Fourier&) = delete;
    Fourier& operator=(const Fourier&) = delete;

    int64_t length() const { return n; }
    int64_t bins() const { return n / 2 + 1; }
    int64_t numbers() const { return 2 * bins(); } ///< of a buffer
    void forward(T* buffer) const;
    void inverse(T* buffer) const; ///< divides by n: it undoes forward()

  private:
    struct Plans;
    int64_t n;
    std::unique_ptr<Plans> plans;
};

/// Causal convolutions of one length: y_k = Σ_(j <= k) kernel_j u_(k-j) for k < length, by transforms of at least twice
/// the length, so that nothing comes around.
template <class T>
class CausalConvolution {
  public:
    explicit CausalConvolution(int64_t length);
    int64_t length() const { return count; }
    int64_t padded() const { return fourier.length(); }
    int64_t scratch() const { return scratchOf(count); } ///< numbers that a call needs, aligned to 64 bytes
    static int64_t scratchOf(int64_t length);
    /// Three transforms. `y` may be `u`. Where kernel or u hold what is no finite number, all of y may be NaN.
    void apply(const T* kernel, const T* u, T* y, T* scratch) const;

  private:
    int64_t count;
    Fourier<T> fourier;
};

/// |X_l| of a signal for l = 0..n/2, after zeros were added up to goodLength(`length`).
std::vector<double> magnitudes(std::span<const double> signal, int64_t length);
/// The real signal [n] of which these are the first n/2 + 1 coefficients, as pairs of real and imaginary part.
std::vector<double> fromSpectrum(std::span<const double> spectrum, int64_t n);

} // namespace warplight::algebra
