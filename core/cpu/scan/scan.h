// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>

namespace warplight::cpu {

/// Steps of a chunk of Chunked and LookBack: its a, b and h stay in the second-level cache between two passes.
inline constexpr int64_t scanChunk = 16384;

struct ScanShape {
    int64_t channels = 0, length = 0;
    bool complex = false;      ///< numbers are pairs (real, imaginary)
    int64_t chunk = scanChunk; ///< steps of a chunk of the rungs that have chunks

    int64_t parts() const { return complex ? 2 : 1; }
};

/// The linear scan h_t = a_t · h_{t-1} + b_t of each channel. a, b and h are f32 [channels, length], h0 (the state
/// before the first step; null: 0) is [channels]; row-major and contiguous, complex numbers as pairs. h may not overlap
/// a or b.
struct ScanProblem {
    ScanShape shape;
    const float *a = nullptr, *b = nullptr, *h0 = nullptr;
    float* h = nullptr;
};

/// The rungs of the ladder. All but Serial combine pairs, (a, b) then (a', b') being (a' a, a' b + b'), in different
/// orders: Hillis and Steele (1986), Sklansky (1960), Blelloch (1990), and chunks whose states are handed on: by a
/// chain, or by the decoupled look-back of Merrill and Garland (2016).
enum class ScanRung { Reference, Serial, HillisSteele, Sklansky, Blelloch, Chunked, LookBack };

/// "reference", "serial", "hillis-steele", "sklansky", "blelloch", "chunked", "look-back", in ladder order. Valid for
/// the whole life of the program.
std::span<const RungInfo<ScanRung>> scanRungs();

/// Throws InputError for sizes that there are none of.
void check(const ScanShape& shape);

/// Runs one rung. The result is bitwise the same for any number of threads. Channels never meet: a NaN or an infinity
/// stays in its own, where it reaches all later steps (0 · NaN is NaN: a decay of 0 does not cut it off). Since
/// products of decays are formed before the state is known, the rungs that combine pairs may give NaN where Serial
/// gives a number or an infinity: where that product overflows (decays beyond 1 in size) or where it underflows to 0
/// and meets an infinite state. With decays of size 1 at most and finite numbers all rungs are finite where Serial is.
/// Throws InputError as check does, Cancelled.
RunCost scan(ScanRung rung, const ScanProblem& problem, const RunOptions& options = {});

/// Gradients of a loss through the scan: dh [channels, length] comes in, db, da like b and dh0 like h0 go out (null:
/// not wanted). Complex gradients are ∂L/∂re + i ∂L/∂im, as PyTorch has them.
struct ScanGradients {
    const float* dh = nullptr;
    float *da = nullptr, *db = nullptr, *dh0 = nullptr;
};

/// The adjoint g_t = dh_t + conj(a_{t+1}) g_{t+1} is a scan from the end, which the rung makes of reversed copies of a
/// and dh; db_t = g_t, da_t = g_t · conj(h_{t-1}), dh0 = conj(a_0) · g_0. `problem`: a, h0 and the h that scan made; b
/// is not read. Throws InputError, Cancelled.
RunCost scanBackward(ScanRung rung, const ScanProblem& problem, const ScanGradients& gradients,
                     const RunOptions& options = {});

/// What RunCost::extraBytes of a run will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(ScanRung rung, const ScanShape& shape, int threads = 0);
int64_t scanBackwardBytesAtMost(ScanRung rung, const ScanShape& shape, int threads = 0);

/// Useful floating-point operations: a product and a sum a step; 8 of complex numbers.
double usefulFlops(const ScanShape& shape);
double scanBackwardFlops(const ScanShape& shape); ///< of the adjoint and of da

/// How one channel of `length` steps is scanned. A combine makes one pair or one state of two; what a vector's lanes do
/// more than one combine an element is not counted.
struct ScanCounts {
    int64_t combines = 0;  ///< all of them: the work
    int64_t depth = 0;     ///< of the longest chain of combines that wait for each other
    int64_t barriers = 0;  ///< how often everyone waits for everyone
    int64_t handovers = 0; ///< states that one chunk waits for another's
    bool operator==(const ScanCounts&) const = default;
};

/// By formula, n = length, without an h0 (which costs Serial, HillisSteele and Sklansky one combine more):
///   serial         n - 1 combines, as deep
///   hillis-steele  n⌈log2 n⌉ - 2^⌈log2 n⌉ + 1 combines in ⌈log2 n⌉ steps
///   sklansky       the bits that are set in 0 … n - 1 in ⌈log2 n⌉ steps: n/2 · log2 n for powers of two
///   blelloch       up and down 2(n - 1) combines in 2 log2 n steps for powers of two; one more step of n makes h of
///   the
///                  states before each step
///   chunked,       of K chunks of C steps: C for the first, 2 C for each other whose state is not known when it
///   begins, look-back      less one in all; K - 1 after each other behind the C of the first
ScanCounts scanCounts(ScanRung rung, int64_t length, int64_t chunk = scanChunk);

} // namespace warplight::cpu
