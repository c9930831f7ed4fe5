// flash-packed on inputs rounded to bf16. With AVX-512's bf16 instructions Q, K, V and P are multiplied as bf16 and
// added up in f32 (flash.cpp, bf16-inl.h). Elsewhere the products are taken in f32, where those of two bf16 numbers are
// exact: what is lost then is the rounding of Q, K and V alone.
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/rungs.h"
#include "core/cpu/workspace.h"
#include "gpu/number/half.h"

#include <algorithm>

namespace warplight::cpu {

AttentionCost flashBf16Attention(const AttentionProblem& problem, const Execution& execution) {
    if (kernels().bf16)
        return flashBf16PairsAttention(problem, execution);
    Workspace workspace;
    const int64_t queries = headCount(problem) * problem.queryLen * problem.headDim;
    const int64_t keys = problem.batch * problem.keyHeads * problem.keyLen * problem.headDim;
    const auto rounded = [&](const float* from, int64_t count) {
        constexpr int64_t piece = 1 << 16;
        float* to = workspace.take<float>(count);
        parallelItems((count + piece - 1) / piece, workerCount(execution.threads), execution.cancel,
                      [&](int64_t item, int) {
                          for (int64_t i = item * piece; i < std::min(count, (item + 1) * piece); ++i)
                              to[i] = number::bf16ToFloat(number::floatToBf16(from[i]));
                      });
        return to;
    };
    AttentionProblem inBf16 = problem;
    inBf16.q = rounded(problem.q, queries);
    inBf16.k = rounded(problem.k, keys);
    inBf16.v = rounded(problem.v, keys);
    AttentionCost cost = flashPackedAttention(inBf16, execution);
    cost.extraBytes += workspace.bytes();
    return cost;
}

} // namespace warplight::cpu
