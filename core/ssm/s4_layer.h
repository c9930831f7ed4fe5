// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/ssm/s4.h"
#include "gpu/number/format.h"

#include <atomic>
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

namespace warplight::ssm {

/// One channel of S4 or S4D, discrete: LegS dense, the others diagonal.
struct S4Layer {
    S4Kind kind = S4Kind::LegS;
    Rule rule = Rule::Bilinear;
    double step = 1;         ///< Δ
    System dense;            ///< of S4Kind::LegS; n = 0 otherwise
    std::vector<double> c;   ///< [n], of the dense one
    DiagonalSystem diagonal; ///< of the others: n / 2 states

    bool isDense() const { return dense.n > 0; }
    /// K [length]: by DPLR where that is possible (LegS, bilinear), else as the recurrence has it.
    std::vector<double> kernel(int64_t length, const std::atomic<bool>* cancel = nullptr) const;
};

/// With n output weights: of a diagonal layer n / 2 complex ones, real and imaginary part side by side. Throws
/// InputError as hippo(), s4dPoles() and discretise() do.
S4Layer makeS4Layer(S4Kind kind, int64_t n, Rule rule, double step, std::span<const double> c);

/// The weights of S4D-LegS under which it comes nearest to S4 with weights c [n]: those of the coordinates in which A
/// is a diagonal less a product of rank one, with B halved; the difference vanishes as n grows (Gu et al. 2022 b).
std::vector<double> diagonalWeights(std::span<const double> c);

/// The recurrence of a layer with everything in f64 or f32, or with its state rounded to f16 or bf16 after each step
/// and all else in f32. Throws InputError for other formats, Cancelled.
std::vector<double> recurrentIn(number::Format format, const S4Layer& layer, std::span<const double> u,
                                const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::ssm
