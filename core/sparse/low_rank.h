// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/attention/attention.h"
#include "core/cpu/run.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::sparse {

/// Attention whose map has rank r, so that time and memory follow n · r.
enum class LowRankMethod {
    Linformer, ///< softmax(scale · Q (E K)ᵀ) (F V)  (Wang et al. 2020)
    Nystrom, ///< softmax(scale · Q K̃ᵀ) A⁺ softmax(scale · Q̃ Kᵀ) V, A = softmax(scale · Q̃ K̃ᵀ) (Xiong et al. 2021)
    NystromIterated, ///< with A⁺ by six iterations of Razavi et al. 2014
    Pooling          ///< softmax(scale · Q K̃ᵀ) Ṽ
};
struct LowRankInfo {
    LowRankMethod id;
    std::string_view name, title, formula;
};
/// All of them, in the order of LowRankMethod. Valid for the whole life of the program.
std::span<const LowRankInfo> lowRankMethods();

/// Q̃, K̃ and Ṽ are means of `rank` segments of rows, each as long as the others or one row longer.
struct LowRankProblem {
    cpu::AttentionProblem attention; ///< lse is not written; causal masks are none that it can have
    LowRankMethod method = LowRankMethod::Linformer;
    int64_t rank = 0;                       ///< r
    const float *e = nullptr, *f = nullptr; ///< Linformer alone: [rank, keyLen], the same for all heads
};

/// The rungs of the ladder, slowest first.
enum class LowRankRung { Reference, Standard, Flash };
/// "reference", "few-keys-plain", "few-keys", in ladder order. Valid for the whole life of the program.
std::span<const cpu::RungInfo<LowRankRung>> lowRankRungs();

constexpr int64_t largestPseudoInverse = 512; ///< landmarks: its singular values are not to be interrupted

/// Throws InputError for causal problems, a rank below 1 or above the rows that it takes means of, and more landmarks
/// than largestPseudoInverse for an exact pseudo-inverse.
void check(const LowRankProblem& problem);

/// Runs one rung. No keys give O = 0. Throws InputError as check does, and for shapes that attentionForward refuses;
/// Cancelled.
cpu::RunCost lowRankForward(LowRankRung rung, const LowRankProblem& problem, const cpu::RunOptions& options = {});

/// What RunCost::extraBytes of a run will be at most; INT64_MAX when the size overflows.
int64_t extraBytesAtMost(LowRankRung rung, const LowRankProblem& problem, int threads = 0);

/// Useful floating-point operations: products alone, 2 for each multiplication; of a pseudo-inverse its iterations.
double usefulFlops(const LowRankProblem& problem);

/// The Moore-Penrose inverse of a square matrix [m, m] in f64, by its singular values (Eigen's); those below m · 2⁻⁵²
/// of the largest count as zero. `iterations` above 0: instead Z ← ¼ Z (13 I − A Z (15 I − A Z (7 I − A Z))) as often,
/// from Aᵀ / (‖A‖₁ ‖A‖∞). Throws Cancelled.
std::vector<double> pseudoInverse(const std::vector<double>& a, int64_t m, int iterations,
                                  const std::atomic<bool>* cancel = nullptr);

} // namespace warplight::sparse
