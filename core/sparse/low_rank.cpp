// SPDX-License-Identifier: GPL-3.0-or-later
// Low-rank attention. Every method makes few keys of many (or few queries), and is attention between these: `standard`
// and `reference` as the formula stands, in f32 and f64, `flash` by the kernels of attention.
#include "core/sparse/low_rank.h"

#include "core/cpu/attention/attention_memory.h"
#include "core/cpu/matmul/matmul.h"
#include "core/cpu/memory.h"
#include "core/cpu/parallel.h"
#include "core/error.h"
#include "core/sparse/low_rank_formula.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>

namespace warplight::sparse {
namespace {

using cpu::AttentionProblem;

constexpr std::array<LowRankInfo, 4> methods{{
    {LowRankMethod::Linformer, "linformer", "Linformer", "softmax(Q (E K)ᵀ) (F V)"},
    {LowRankMethod::Nystrom, "nystrom", "Nyström", "softmax(Q K̃ᵀ) softmax(Q̃ K̃ᵀ)⁺ softmax(Q̃ Kᵀ) V"},
    {LowRankMethod::NystromIterated, "nystrom-iterated", "Nyström, iterated",
     "softmax(Q K̃ᵀ) Z₆ softmax(Q̃ Kᵀ) V, with Z₆ ≈ softmax(Q̃ K̃ᵀ)⁺ after six iterations"},
    {LowRankMethod::Pooling, "pooling", "Pooling", "softmax(Q K̃ᵀ) Ṽ"},
}};

constexpr std::array<cpu::RungInfo<LowRankRung>, 3> infos{{
    {LowRankRung::Reference, "reference", "double precision, as the formula stands",
     "nothing: this is what every other rung is judged by"},
    {LowRankRung::Standard, "few-keys-plain", "single precision, as the formula stands",
     "n · r instead of n² numbers, some rows at a time"},
    {LowRankRung::Flash, "few-keys", "the kernels of flash attention between few keys and many queries",
     "products and softmax in vectors; a map is never held"},
}};

bool isNystrom(LowRankMethod m) { return m == LowRankMethod::Nystrom || m == LowRankMethod::NystromIterated; }
int64_t headCount(const AttentionProblem& p) { return p.batch * p.queryHeads; }

/// `flash`: its steps one after the other over all heads, on buffers that it owns.
class FlashRun {
  public:
    FlashRun(const LowRankProblem& problem, const cpu::RunOptions& o) : x(problem), p(problem.attention), options(o) {}

    cpu::RunCost run() {
        if (x.method == LowRankMethod::Linformer) {
            const std::vector<float> keys = projected(x.e, p.k), values = projected(x.f, p.v);
            attend(p.q, p.queryLen, keys.data(), values.data(), x.rank, p.keyHeads, p.o);
            held(keys.size() + values.size());
        } else if (x.method == LowRankMethod::Pooling) {
            const std::vector<float> keys = keyMeans(p.k), values = keyMeans(p.v);
            attend(p.q, p.queryLen, keys.data(), values.data(), x.rank, p.keyHeads, p.o);
            held(keys.size() + values.size());
        } else
            nystrom();
        return {most, cpu::workerCount(options.threads)};
    }

  private:
    std::vector<float> keyMeans(const float* from) const {
        return means(from, p.batch * p.keyHeads, p.keyLen, p.headDim, x.rank, options);
    }

    /// matrix [rank, keyLen] times each key head's rows.
    std::vector<float> projected(const float* matrix, const float* rows) {
        const int64_t heads = p.batch * p.keyHeads;
        std::vector<float> out(static_cast<size_t>(heads * x.rank * p.headDim));
        for (int64_t h = 0; h < heads; ++h) {
            const cpu::MatmulProblem product{x.rank,
                                             p.headDim,
                                             p.keyLen,
                                             false,
                                             matrix,
                                             rows + h * p.keyLen * p.headDim,
                                             out.data() + h * x.rank * p.headDim};
            extra(cpu::matmul(cpu::MatmulRung::Packed, product, options).extraBytes);
        }
        return out;
    }

    void attend(const float* q, int64_t queries, const float* k, const float* v, int64_t keys, int64_t keyHeads,
                float* o) {
        AttentionProblem part = p;
        part.queryLen = queries;
        part.keyLen = keys;
        part.keyHeads = keyHeads;
        part.q = q;
        part.k = k;
        part.v = v;
        part.o = o;
        part.lse = nullptr;
        cpu::Execution execution;
        execution.threads = options.threads;
        execution.cancel = options.cancel;
        extra(attentionForward(cpu::Implementation::FlashPacked, part, execution).extraBytes);
    }

    void nystrom() {
        const int64_t heads = headCount(p), size = x.rank * p.headDim;
        const std::vector<float> queries = means(p.q, heads, p.queryLen, p.headDim, x.rank, options),
                                 keyMean = keyMeans(p.k);
        std::vector<float> keys(queries.size()), landmarks(queries.size()), values(queries.size());
        for (int64_t h = 0; h < heads; ++h)
            std::copy_n(keyMean.data() + keyHeadOf(p, h) * size, size, keys.data() + h * size);
        attend(queries.data(), x.rank, p.k, p.v, p.keyLen, p.keyHeads, landmarks.data());
        cpu::parallelItems(heads, cpu::workerCount(options.threads), options.cancel, [&](int64_t h, int) {
            throughLandmarks(x, queries.data() + h * size, keys.data() + h * size, landmarks.data() + h * size,
                             values.data() + h * size, options.cancel);
        });
        attend(p.q, p.queryLen, keys.data(), values.data(), x.rank, p.queryHeads, p.o);
        held(4 * queries.size() + keyMean.size());
        most += cpu::workerCount(options.threads) * pseudoInverseBytes(x.rank);
    }

    void held(size_t numbers) { most = inSteps + static_cast<int64_t>(numbers * sizeof(float)); }
    void extra(int64_t bytes) { inSteps = std::max(inSteps, bytes); }

    const LowRankProblem& x;
    const AttentionProblem& p;
    const cpu::RunOptions& options;
    int64_t inSteps = 0, most = 0;
};

} // namespace

std::span<const LowRankInfo> lowRankMethods() { return methods; }
std::span<const cpu::RungInfo<LowRankRung>> lowRankRungs() { return infos; }

void check(const LowRankProblem& x) {
    const AttentionProblem& p = x.attention;
    if (p.causal)
        throw InputError("causal: low-rank methods mix keys before any query sees them, expected no causal mask");
    const int64_t rows = x.method == LowRankMethod::Linformer ? std::numeric_limits<int32_t>::max()
                         : isNystrom(x.method)                ? std::min(p.queryLen, p.keyLen)
                                                              : p.keyLen;
    if (x.rank < 1 || x.rank > std::max<int64_t>(rows, 1))
        throw InputError(fmt::format("rank {}: expected 1 to {}, the rows that it makes {} of", x.rank,
                                     std::max<int64_t>(rows, 1), isNystrom(x.method) ? "landmarks" : "means"));
    if (x.method == LowRankMethod::Nystrom && x.rank > largestPseudoInverse)
        throw InputError(fmt::format("rank {}: expected at most {} landmarks with an exact pseudo-inverse; "
                                     "nystrom-iterated takes more",
                                     x.rank, largestPseudoInverse));
}

cpu::RunCost lowRankForward(LowRankRung rung, const LowRankProblem& problem, const cpu::RunOptions& options) {
    check(problem);
    const AttentionProblem& p = problem.attention;
    if (headCount(p) * p.queryLen == 0)
        return {};
    if (p.keyLen == 0) {
        std::fill_n(p.o, headCount(p) * p.queryLen * p.headDim, 0.0f);
        return {};
    }
    if (rung == LowRankRung::Flash)
        return FlashRun(problem, options).run();
    return rung == LowRankRung::Reference ? byFormulaInDouble(problem, options) : byFormulaInSingle(problem, options);
}

int64_t extraBytesAtMost(LowRankRung rung, const LowRankProblem& x, int threads) {
    const AttentionProblem& p = x.attention;
    const int64_t workers = cpu::workerCount(threads), r = std::max<int64_t>(x.rank, 1);
    const int64_t inverse = isNystrom(x.method) ? saturatedProduct(workers, pseudoInverseBytes(r)) : 0;
    if (rung != LowRankRung::Flash)
        return saturatedSum(inverse, saturatedProduct(workers, formulaBytes(x, rung == LowRankRung::Reference)));
    AttentionProblem toFew = p, fromFew = p;
    toFew.keyLen = r;
    toFew.keyHeads = p.queryHeads;
    fromFew.queryLen = r;
    const int64_t numbers = cpu::floats(saturatedProduct(headCount(p), r), 5 * p.headDim);
    const int64_t steps =
        std::max({extraBytesAtMost(cpu::Implementation::FlashPacked, toFew, threads),
                  extraBytesAtMost(cpu::Implementation::FlashPacked, fromFew, threads),
                  cpu::extraBytesAtMost(cpu::MatmulRung::Packed, cpu::MatmulProblem{r, p.headDim, p.keyLen}, threads)});
    return saturatedSum(saturatedSum(numbers, steps), inverse);
}

double usefulFlops(const LowRankProblem& x) {
    const AttentionProblem& p = x.attention;
    const auto heads = static_cast<double>(headCount(p)), keyHeads = static_cast<double>(p.batch * p.keyHeads),
               n = static_cast<double>(p.queryLen), m = static_cast<double>(p.keyLen),
               d = static_cast<double>(p.headDim), r = static_cast<double>(x.rank);
    const double toFew = heads * 4 * n * r * d;
    switch (x.method) {
    case LowRankMethod::Linformer:
        return toFew + keyHeads * 4 * r * m * d;
    case LowRankMethod::Pooling:
        return toFew;
    default: {
        constexpr double iterations = 6, productsOfAnIteration = 4;
        const double inverse =
            x.method == LowRankMethod::Nystrom ? 0 : iterations * productsOfAnIteration * 2 * r * r * r;
        return toFew + heads * (4 * r * m * d + 4 * r * r * d + inverse);
    }
    }
}

} // namespace warplight::sparse
