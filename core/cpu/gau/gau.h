// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::cpu {

/// What makes a weight of a score q · k; m is the number of keys (GauShape::countedKeys), s the shared features.
enum class GauFunction {
    Relu2,     ///< max(q·k / m, 0)²: the paper's
    Relu2Root, ///< max(q·k, 0)² / (m s): Su's, which is m / s times as large
    Softmax,   ///< softmax(q·k / √s)
    Laplace    ///< ½ (1 + erf((q·k / m - √½) / (σ √2))) with σ = √(1 / 4π): Mega's
};
/// "relu2", "relu2-su", "softmax", "laplace", in the order of the values.
std::span<const RungInfo<GauFunction>> gauFunctions();

/// Sizes of a gated attention unit, and how it attends. FLASH-Quad has no chunks: every token attends to every other.
/// FLASH has: within a chunk it does, and across chunks attention is linear (Hua et al. 2022, section 3.2).
struct GauShape {
    int64_t batch = 1;
    int64_t length = 0;   ///< n: tokens of a sequence
    int64_t features = 0; ///< d, of a token
    int64_t expanded = 0; ///< e, of gates and values
    int64_t shared = 0;   ///< s, of what queries and keys are made of
    GauFunction function = GauFunction::Relu2;
    bool causal = false;
    /// A causal row counts the keys that it sees instead of all: what it gives does not depend on what follows.
    bool seenKeys = false;
    int64_t chunk = 0; ///< c, tokens of a chunk of FLASH; 0: FLASH-Quad

    int64_t rows() const { return batch * length; }
    int64_t segment() const { return chunk > 0 ? chunk : length; } ///< tokens among which attention is quadratic
    /// Of gamma and beta: queries, keys; with chunks queries, linear queries, keys, linear keys.
    int64_t views() const { return chunk > 0 ? 4 : 2; }
    int64_t keyView() const { return chunk > 0 ? 2 : 1; }
    /// m of a row, the n or c that its scores are divided by; c also where the last chunk is shorter.
    int64_t countedKeys(int64_t row) const { return causal && seenKeys ? row % segment() + 1 : segment(); }
};

/// Y = (U ∘ A V) W_o with U = silu(X W_u), V = silu(X W_v), Z = silu(X W_z), and A of the rows of
/// Q = Z ∘ gamma[0] + beta[0] and K = Z ∘ gamma[1] + beta[1]. All f32, row-major and contiguous.
struct GauProblem {
    GauShape shape;
    const float* x = nullptr;                      ///< [batch, length, features]
    const float *wu = nullptr, *wv = nullptr;      ///< [features, expanded]
    const float* wz = nullptr;                     ///< [features, shared]
    const float *gamma = nullptr, *beta = nullptr; ///< [views, shared]
    const float* wo = nullptr;                     ///< [expanded, features]
    float* y = nullptr;                            ///< [batch, length, features]
};

/// The rungs of the ladder.
enum class GauRung { Reference, Quadratic, Tiled, Chunked };
/// "reference", "quadratic", "tiled", "chunked", in ladder order. Valid for the whole life of the program.
std::span<const RungInfo<GauRung>> gauRungs();

/// Throws InputError "gau: chunk is 9, expected ..." for sizes below 1 (length and batch: below 0) or a chunk longer
/// than the sequence.
void check(const GauShape& shape);

/// Runs one rung. The result has the same bits for any number of threads, and what lies behind a causal mask never
/// touches it. NaN and infinity as IEEE arithmetic has them. Throws InputError, Cancelled.
RunCost gau(GauRung rung, const GauProblem& problem, const RunOptions& options = {});

/// What RunCost::extraBytes of a run will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(GauRung rung, const GauShape& shape, int threads = 0);

/// Pairs of a query and a key whose attention is quadratic, of all sequences.
double quadraticPairs(const GauShape& shape);
/// FLOPs of the products alone: 2nd(2e+s) of projections, 2ned of the last one, 2(s+e) a pair, and with chunks 2se a
/// token for what it adds to the state and as much for what it reads from it.
double usefulFlops(const GauShape& shape);
/// Numbers that are learned: 3de + ds + 4s, with chunks 8s.
int64_t parameterCount(const GauShape& shape);

/// All that a unit makes of one sequence, in double precision, as plain loops from the formulas.
struct GauTrace {
    std::vector<double> u, v;      ///< [length, expanded]
    std::vector<double> attention; ///< [length, length]: A, with the linear part in it
    std::vector<double> mixed;     ///< [length, expanded]: A V
    std::vector<double> y;         ///< [length, features]
};
/// Of the first sequence. `attention` takes 8 n² bytes.
GauTrace traceOf(const GauProblem& problem, const RunOptions& options = {});
/// The weight of a score of a key among m, of an unnormalised function; for softmax e^(score / √s).
double weightOf(const GauShape& shape, double score, int64_t countedKeys);

} // namespace warplight::cpu
