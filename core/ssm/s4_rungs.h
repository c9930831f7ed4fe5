// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/ssm/s4.h"

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

namespace warplight::ssm {

/// The rungs of many channels of S4: one sum, as a recurrence or as a convolution.
enum class S4Rung {
    Reference, ///< the recurrence in double precision, channel by channel, rounded once
    Recurrent, ///< the recurrence in f32, several channels side by side; LegS in O(n) a step
    Direct,    ///< K in f64, then y = K * u term by term
    Fourier    ///< K in f64, then y = K * u by FFT
};
/// "reference", "recurrent", "direct", "fft", in the order of the values.
std::span<const cpu::RungInfo<S4Rung>> s4Rungs();

/// LegS is discretised by the bilinear rule, diagonals by zero-order hold, each channel with a step of its own.
struct S4Shape {
    int64_t channels = 0, length = 0;
    int64_t state = 64; ///< n, even
    S4Kind kind = S4Kind::LegS;
};
constexpr int64_t largestS4State = 256;
/// Throws InputError "s4: state is 3, expected ...".
void checkShape(const S4Shape& shape);

struct S4Tensors {
    const float* u = nullptr;     ///< [channels, length]
    const float* delta = nullptr; ///< [channels], above 0
    const float* c = nullptr;     ///< [channels, state]: of diagonals state / 2 complex numbers
    float* y = nullptr;           ///< [channels, length]
};

/// Runs one rung. The result has the same bits for any number of threads. NaN and infinities stay in their channel,
/// with Recurrent and Direct also behind them in time. Throws InputError, also naming a channel whose step is not above
/// 0 and finite; Cancelled.
cpu::RunCost s4(S4Rung rung, const S4Shape& shape, const S4Tensors& tensors, const cpu::RunOptions& options = {});

/// What RunCost::extraBytes will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(S4Rung rung, const S4Shape& shape, int threads = 0);

/// Floating-point operations: of a step of Recurrent 11 a pair of diagonal states, 12 a state of LegS; of Direct
/// L (L + 1) a channel, of Fourier 3 · 5 P log₂ P and 3 P for P = goodLength(2 L), each with the recurrence that makes
/// K.
double flopsOf(S4Rung rung, const S4Shape& shape);

/// Factors of a channel's diagonal states as ChannelRecurrences::diagonal has them: a and w = 2 c b.
struct DiagonalFactors {
    std::complex<double> a, w;
};
/// [channels, state / 2], in f64. Throws InputError as s4() does.
std::vector<DiagonalFactors> diagonalFactors(const S4Shape& shape, const S4Tensors& tensors);

/// What gpu::s4() takes, worked out in f64: [channels, states, 4], of diagonals a and w of each pair of states, of LegS
/// p, √(2k+1) q, g as cpu::legsFactors() has them and c / √(2k+1). Throws InputError as s4() does.
std::vector<float> gpuFactors(const S4Shape& shape, const S4Tensors& tensors);

} // namespace warplight::ssm
