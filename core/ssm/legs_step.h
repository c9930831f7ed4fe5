// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/ssm/discretise.h"

#include <cstdint>
#include <span>
#include <vector>

namespace warplight::ssm {

/// Δ of LegS for step k = 0, 1, ...: 1 / (k + 1), of Zoh ln((k + 2) / (k + 1)). The time between samples cancels: it
/// has no influence.
double legsStep(Rule rule, int64_t k);

/// Steps of LegS without matrices: forward and backward Euler and bilinear in O(n), by the scalar recurrence that its
/// solves come to; Zoh and Mamba in O(n²), by Gauss-Legendre quadrature: e^(A ln 1/r) projects what was a polynomial
/// over the past onto polynomials over a past that is 1/r as long.
class LegsStepper {
  public:
    LegsStepper(int64_t n, Rule rule);
    /// c becomes Ā_k c + B̄_k u.
    void step(int64_t k, double u, std::span<double> c);

  private:
    void add(std::span<double> c, double lambda, double u) const; ///< c += λ (A c + B u)
    void solve(std::span<double> c, double lambda) const;         ///< c = (I - λA)⁻¹ c
    void stretch(std::span<double> c, double ratio);              ///< c = e^(A ln(1 / ratio)) c
    void addHeld(std::span<double> c, double ratio,
                 double u) const; ///< what u over the last 1 - ratio of the past adds

    int64_t n;
    Rule rule;
    std::vector<double> norms;             ///< √(2n+1)
    std::vector<double> nodes, weights;    ///< of the quadrature over [0, 1]; empty unless it is needed
    std::vector<double> rows;              ///< [n, nodes]: √(2n+1) P_n at the nodes
    std::vector<double> sums, before, now; ///< [nodes]
};

} // namespace warplight::ssm
