// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

/// State space models in f64: what they are made of, how they step, and what they come to as convolutions.
namespace warplight::ssm {

/// Which part of the past a memory approximates, and by which functions (Gu et al. 2020, 2022).
enum class Measure {
    LegS, ///< all of it, each moment alike: Legendre polynomials over [0, t], x' = (Ax + Bu) / t
    LegT, ///< a sliding window: Legendre polynomials over [t - theta, t]
    Lmu,  ///< the same window and polynomials with another scale, numbered by the delay (Voelker et al. 2019)
    LagT, ///< fading: Laguerre functions of the age over theta
    FouT  ///< a sliding window: cosines and sines over [t - theta, t], real; n is even
};
/// "legs", "legt", "lmu", "lagt", "fout", in the order of Measure.
std::span<const cpu::RungInfo<Measure>> measures();
/// Throws InputError that lists the names.
Measure measureByName(std::string_view name);

/// x' = Ax + Bu, or x = Ax + Bu of the sample before where it has been made discrete.
struct System {
    int64_t n = 0;
    std::vector<double> a; ///< [n, n], row-major
    std::vector<double> b; ///< [n]
};

constexpr int64_t largestState = 4096;

/// A and B with the signs of S4 (A is stable). `theta` is the length of the window, of LagT the time in which it fades;
/// LegS has none. Throws InputError for n outside 1..4096, an odd n of FouT, theta not above 0 or not finite.
System hippo(Measure measure, int64_t n, double theta = 1);

/// Writes g_0..g_(n-1) at an age: u(t - age) ≈ Σ c_n g_n. The position is age / theta, of LegS age / t: 0 is now, 1 the
/// end of the window. `values` [n].
void basisAt(Measure measure, double position, std::span<double> values);

/// The basis at several positions, for reconstructing again and again.
class Basis {
  public:
    Basis(Measure measure, int64_t n, std::span<const double> positions);
    int64_t positions() const { return count; }
    /// out [positions] of coefficients [n].
    void reconstruct(std::span<const double> coefficients, std::span<double> out) const;

  private:
    int64_t n, count;
    std::vector<double> columns; ///< [n, positions]: out is a sum of rows, which needs no sums across
};

/// Whether the state is a number that nothing reaches and that reaches nothing: the sine of frequency 0 of FouT.
constexpr bool isIdle(Measure measure, int64_t state) { return measure == Measure::FouT && state == 1; }

} // namespace warplight::ssm
