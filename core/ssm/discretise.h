// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/ssm/hippo.h"

#include <complex>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::ssm {

/// How x' = Ax + Bu becomes x_k = Ā x_(k-1) + B̄ u_k for steps of length Δ.
enum class Rule {
    ForwardEuler,  ///< Ā = I + ΔA, B̄ = ΔB
    BackwardEuler, ///< Ā = (I - ΔA)⁻¹, B̄ = (I - ΔA)⁻¹ ΔB
    Bilinear,      ///< Ā = (I - ΔA/2)⁻¹ (I + ΔA/2), B̄ = (I - ΔA/2)⁻¹ ΔB
    Zoh,           ///< Ā = e^ΔA, B̄ = A⁻¹ (e^ΔA - I) B: exact where u is held during the step
    Mamba          ///< Ā = e^ΔA, B̄ = ΔB: what Mamba's code does; its paper says Zoh
};
/// "forward-euler", "backward-euler", "bilinear", "zoh", "mamba", in the order of Rule.
std::span<const cpu::RungInfo<Rule>> rules();
/// Throws InputError that lists the names.
Rule ruleByName(std::string_view name);

/// Ā and B̄. Zoh takes both from e^[[ΔA, ΔB], [0, 0]], so that A needs no inverse. Throws InputError for a step that is
/// not above 0 or not finite.
System discretise(const System& system, Rule rule, double step);

/// The same of one number: of a diagonal A.
struct DiscretePole {
    std::complex<double> a, b;
};
DiscretePole discretise(std::complex<double> a, std::complex<double> b, Rule rule, double step);

/// Where a rule takes an eigenvalue λ of A: the eigenvalue of Ā.
std::complex<double> mapped(std::complex<double> pole, Rule rule, double step);

/// Eigenvalues of A (but for that of an idle state), smallest size first. The matrices of windows are far from normal:
/// those of LegT and LMU are the same, and what f64 makes of them agrees to 1e-12 at n = 64, but to 1e-4 at n = 256.
std::vector<std::complex<double>> poles(Measure measure, int64_t n, double theta = 1);
/// The largest size among eigenvalues; what exceeds 1 in a discrete system grows without end.
double largest(std::span<const std::complex<double>> poles);

} // namespace warplight::ssm
