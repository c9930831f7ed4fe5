// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/ssm/discretise.h"

#include <atomic>
#include <complex>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::ssm {

/// A system without a clock, x' = Ax + Bu, y = Cx, comes to a convolution with K_l = C Ā^l B̄ (Gu et al. 2022). K of one
/// output by three roads, for l = 0..length-1; c [n]. All throw Cancelled.
///
/// By multiplying the state by Ā again and again: 2 n² FLOPs an element.
std::vector<double> kernelByPowers(const System& discrete, std::span<const double> c, int64_t length,
                                   const std::atomic<bool>* cancel = nullptr);

/// By K̂(z) = Σ K_l z^l = C (I - Ā^L) (I - Āz)⁻¹ B̄ at the roots of unity, a dense solve for each, and an inverse Fourier
/// transform.
std::vector<double> kernelByGeneratingFunction(const System& discrete, std::span<const double> c, int64_t length,
                                               const std::atomic<bool>* cancel = nullptr);

/// LegS as a diagonal less a product of rank one: A = V (Λ - P P*) V*, V unitary, in the coordinates of V.
struct Dplr {
    int64_t n = 0;
    std::vector<std::complex<double>> lambda;  ///< [n], all with real part -½, ascending in their imaginary part
    std::vector<std::complex<double>> p, b;    ///< [n]: V* P and V* B
    std::vector<std::complex<double>> vectors; ///< V [n, n]
};
Dplr legsDplr(int64_t n);

/// The same kernel of LegS discretised by the bilinear rule, where (I - Āz)⁻¹ is that of a diagonal, corrected by
/// Woodbury's identity: four sums of Cauchy's kind for each root of unity, 8 n complex operations.
std::vector<double> kernelByDplr(const Dplr& legs, std::span<const double> c, double step, int64_t length,
                                 const std::atomic<bool>* cancel = nullptr);

/// What an S4 layer's A begins with.
enum class S4Kind { LegS, DiagonalLegS, DiagonalLin, DiagonalInv, DiagonalReal };
/// "s4-legs", "s4d-legs", "s4d-lin", "s4d-inv", "s4d-real", in the order of S4Kind.
std::span<const cpu::RungInfo<S4Kind>> s4Kinds();
/// Throws InputError that lists the names.
S4Kind s4KindByName(std::string_view name);

/// The n / 2 numbers on the diagonal of S4D (Gu et al. 2022 b), each of which stands for itself and its conjugate; of
/// LegS those of its DPLR form. Throws InputError for an odd n.
std::vector<std::complex<double>> s4dPoles(S4Kind kind, int64_t n);

/// x_k = a x_(k-1) + b u_k of each of n / 2 states, y_k = 2 Re Σ c x_k: a real system's conjugate pairs.
struct DiagonalSystem {
    std::vector<std::complex<double>> a, b, c;
};
/// Discrete, from poles, B = 1 and c. Throws InputError as discretise() does.
DiagonalSystem diagonalSystem(std::span<const std::complex<double>> poles, std::span<const std::complex<double>> c,
                              Rule rule, double step);
/// K_l = 2 Re Σ c b a^l: the sums of a Vandermonde matrix.
std::vector<double> kernelOf(const DiagonalSystem& system, int64_t length, const std::atomic<bool>* cancel = nullptr);

/// y of a signal by the recurrence, from x = 0: O(n²) of a dense and O(n) of a diagonal system a sample.
std::vector<double> recurrent(const System& discrete, std::span<const double> c, std::span<const double> u,
                              const std::atomic<bool>* cancel = nullptr);
std::vector<double> recurrent(const DiagonalSystem& system, std::span<const double> u,
                              const std::atomic<bool>* cancel = nullptr);

/// y_k = Σ_(j <= k) K_j u_(k-j), k < length of u: term by term, and by Fourier transforms. `kernel` is as long as u.
std::vector<double> convolvedDirectly(std::span<const double> kernel, std::span<const double> u,
                                      const std::atomic<bool>* cancel = nullptr);
std::vector<double> convolvedByFourier(std::span<const double> kernel, std::span<const double> u);

} // namespace warplight::ssm
