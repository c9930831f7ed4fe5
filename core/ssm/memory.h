// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/ssm/discretise.h"
#include "core/ssm/legs_step.h"

#include <complex>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace warplight::ssm {

struct MemorySettings {
    Measure measure = Measure::LegS;
    int64_t n = 64;
    Rule rule = Rule::Bilinear;
    double theta = 1; ///< window (LagT: time in which it fades), in the unit of `step`; LegS has none
    double step = 1;  ///< Δ: time between samples; LegS takes 1 / k whatever it is
};

/// A memory that takes a signal sample by sample: c = Ā c + B̄ u, from c = 0. A step allocates nothing and takes O(n²)
/// operations, of LegS with forward or backward Euler or bilinear O(n). In f64, and what NaN and infinity do is what
/// arithmetic makes of them. Made in O(n³).
class Memory {
  public:
    /// Throws InputError as hippo() and discretise() do.
    explicit Memory(const MemorySettings& settings);

    void push(double u);
    void push(std::span<const float> samples);
    void reset();

    const MemorySettings& settings() const { return given; }
    std::span<const double> coefficients() const { return c; } ///< [n]
    int64_t steps() const { return count; }

    /// How far back position 1 of the basis lies, in the unit of `step`: theta; of LegS what it takes for the time
    /// since the beginning. Its rules do not agree on that: c_0 of u = 1 is steps / span. Forward Euler and Mamba count
    /// the steps, bilinear half a step more, backward Euler and Zoh one (of a past before the first sample in which u
    /// was 0).
    double span() const;

    /// u(t - age) as the coefficients have it, for each age in the unit of `step`; 0 is now. For many times the same
    /// ages there is Basis.
    std::vector<double> reconstruct(std::span<const double> ages) const;

    /// Eigenvalues of Ā as the next step has them (LegS: those of step `steps()`).
    std::vector<std::complex<double>> discretePoles() const;
    /// Eigenvalues of A; what continuousPoles() mapped() by the rule and the step are discretePoles().
    std::span<const std::complex<double>> continuousPoles() const;
    /// Δ of the next step: `step`, of LegS legsStep().
    double nextStep() const;

  private:
    MemorySettings given;
    std::optional<LegsStepper> legs; ///< of LegS
    std::vector<double> columns;     ///< Ā of the others, transposed: a step is a sum of its rows
    std::vector<double> b;
    std::vector<double> c, next;
    int64_t count = 0;
    mutable std::vector<std::complex<double>> eigenvalues; ///< of A, once somebody has asked
};

} // namespace warplight::ssm
