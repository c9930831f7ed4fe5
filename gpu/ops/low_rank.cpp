// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/low_rank.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"
#include "gpu/ops/low_rank_launch.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>

namespace warplight::gpu {
namespace {

using number::Format;

/// LowRankProduct of gpu/kernels/low_rank.cu.
struct KernelProduct {
    uint64_t x, y, c;
    int32_t rows, columns, inner, perSplit, sharedLeft;
    float identity, scale;
    int32_t unused = 0;
};
static_assert(sizeof(KernelProduct) == 56);

constexpr const char* family = "low_rank";

/// sizeof(FewShared<D>): three tiles of 32 × (D + 1), and weights of 32 rows.
int64_t fewSharedBytes(int64_t headDim) { return 4 * 32 * (3 * (paddedDim(headDim) + 1) + 36); }

/// The tensors on the device, and the launches.
class Run {
  public:
    Run(KernelLibrary& library, const LowRankShape& shape, const LaunchOptions& o)
        : s(shape), a(shape.attention), d(shape.attention.headDim), r(shape.rank), options(o), launcher(library, o) {}

    LowRankRun run(const float* hostQ, const float* hostK, const float* hostV, const float* hostE, const float* hostF) {
        const int64_t rows = queryHeads(s) * a.queryLen, keys = keyHeads(s) * a.keyLen;
        const auto sent = [&](const char* name, const float* from, int64_t height, int64_t width) {
            DeviceMatrix matrix(launcher.device(), name, height, width, Format::F32);
            matrix.upload(from, options.cancel);
            return matrix;
        };
        const DeviceMatrix dq = sent("Q", hostQ, rows, d), dk = sent("K", hostK, keys, d),
                           dv = sent("V", hostV, keys, d), out(launcher.device(), "O", rows, d, Format::F32);
        q = dq.address(), k = dk.address(), v = dv.address(), o = out.address();
        lse = temporary("lse", rows);
        if (s.method == LowRankMethod::Linformer) {
            const DeviceMatrix e = sent("E", hostE, r, a.keyLen), f = sent("F", hostF, r, a.keyLen);
            linformer(e.address(), f.address());
            return finish(out);
        }
        if (s.method == LowRankMethod::Pooling)
            attendToFew(means(k, "Kr", a.keyLen, keyHeads(s), 1), means(v, "Vr", a.keyLen, keyHeads(s), 1));
        else
            nystrom();
        return finish(out);
    }

  private:
    LowRankRun finish(const DeviceMatrix& out) {
        LowRankRun result{launcher.finish(), {}};
        result.o = out.download(options.cancel);
        return result;
    }
    uint64_t temporary(const char* name, int64_t numbers) { return launcher.temporary(4 * numbers, name).address(); }
    static uint32_t grid(int64_t blocks) { return static_cast<uint32_t>(blocks); }

    /// C = scale · X (g I - Y) of each head; X may be one for all.
    void product(uint64_t x, uint64_t y, uint64_t c, int64_t heads, int64_t columns, int64_t inner, float identity,
                 float scale, bool sharedLeft, int64_t splits) {
        const int64_t tiles = int64_t{ceilDiv(r, productRows)} * ceilDiv(columns, productColumns);
        const KernelProduct p{x,
                              y,
                              c,
                              static_cast<int32_t>(r),
                              static_cast<int32_t>(columns),
                              static_cast<int32_t>(inner),
                              static_cast<int32_t>(splits > 1 ? keysOfProduct : inner),
                              sharedLeft,
                              identity,
                              scale};
        launcher.start(family, "low_rank_product", {grid(tiles * splits), grid(heads)}, {128}, 0, {p});
    }

    /// The rows of each key head times E or F.
    uint64_t projected(uint64_t matrix, uint64_t rows, const char* name, uint64_t parts) {
        const int64_t count = keyHeads(s) * r * d, splits = splitsOf(a.keyLen, keysOfProduct);
        const uint64_t few = temporary(name, count);
        product(matrix, rows, splits > 1 ? parts : few, keyHeads(s), d, a.keyLen, 0, -1, true, splits);
        if (splits > 1)
            launcher.start(family, "low_rank_sum", {ceilDiv(count, 256)}, {256}, 0,
                           {parts, few, count, static_cast<int32_t>(splits)});
        return few;
    }

    void linformer(uint64_t e, uint64_t f) {
        const int64_t splits = splitsOf(a.keyLen, keysOfProduct);
        const uint64_t parts = splits > 1 ? temporary("partK", splits * keyHeads(s) * r * d) : 0;
        const uint64_t keys = projected(e, k, "Kr", parts);
        attendToFew(keys, projected(f, v, "Vr", parts));
    }

    uint64_t means(uint64_t from, const char* name, int64_t count, int64_t heads, int64_t copies) {
        const uint64_t few = temporary(name, heads * copies * r * d);
        launcher.start(family, "low_rank_means", {grid(r), grid(heads)}, {32, 4}, 0,
                       {from, few, static_cast<int32_t>(count), static_cast<int32_t>(d), static_cast<int32_t>(copies)});
        return few;
    }

    void attendToFew(uint64_t keys, uint64_t values) {
        launcher.start("attention_flash", fmt::format("flash2_d{}", paddedDim(d)),
                       {ceilDiv(a.queryLen, 32), grid(queryHeads(s))}, {128}, flashSharedBytes(d, 32),
                       {kernelProblem(toFew(s), {q, keys, values, o, lse}, d)});
    }

    void nystrom() {
        const int64_t heads = queryHeads(s), group = a.queryHeads / a.keyHeads;
        const uint64_t queries = means(q, "Qr", a.queryLen, heads, 1),
                       keys = means(k, "Kr", a.keyLen, keyHeads(s), group), w = landmarks(queries);
        const uint64_t values = temporary("Vr", heads * r * d);
        product(pseudoInverse(queries, keys), w, values, heads, d, r, 0, -1, false, 1);
        attendToFew(keys, values);
    }

    /// softmax(scale · Q̃ Kᵀ) V
    uint64_t landmarks(uint64_t queries) {
        const int64_t rows = queryHeads(s) * r, splits = splitsOf(a.keyLen, keysOfFewQueries);
        const uint64_t w = temporary("W", rows * d), parts = temporary("partO", rows * splits * d),
                       most = temporary("m", rows * splits), sum = temporary("l", rows * splits);
        launcher.start(family, fmt::format("low_rank_few_queries_d{}", paddedDim(d)),
                       {grid(ceilDiv(r, 32) * splits), grid(queryHeads(s))}, {128}, fewSharedBytes(d),
                       {kernelProblem(fromFew(s), {queries, k, v, 0, 0}, d), parts, most, sum,
                        static_cast<int32_t>(keysOfFewQueries)});
        launcher.start(
            family, "low_rank_merge", {ceilDiv(rows, 4)}, {128}, 0,
            {parts, most, sum, w, static_cast<int32_t>(rows), static_cast<int32_t>(splits), static_cast<int32_t>(d)});
        return w;
    }

    /// Of A = softmax(scale · Q̃ K̃ᵀ): Z ← ¼ Z (13 I - A Z (15 I - A Z (7 I - A Z))).
    uint64_t pseudoInverse(uint64_t queries, uint64_t keys) {
        const int64_t heads = queryHeads(s), numbers = heads * r * r;
        const uint64_t map = temporary("A", numbers), product1 = temporary("AZ", numbers),
                       product2 = temporary("AZ", numbers), product3 = temporary("AZ", numbers);
        uint64_t z = temporary("Z", numbers), next = temporary("Z", numbers);
        launcher.start(family, fmt::format("nystrom_scores_d{}", paddedDim(d)), {ceilDiv(r, 32), grid(heads)}, {128},
                       fewSharedBytes(d), {kernelProblem(betweenFew(s), {queries, keys, 0, 0, 0}, d), map});
        launcher.start(family, "nystrom_start", {grid(heads)}, {32, 8}, 0, {map, z, static_cast<int32_t>(r)});
        const auto square = [&](uint64_t x, uint64_t y, uint64_t c, float identity, float scale) {
            product(x, y, c, heads, r, r, identity, scale, false, 1);
        };
        for (int64_t i = 0; i < inverseIterations; ++i) {
            square(map, z, product1, 0, -1);
            square(product1, product1, product2, 7, 1);
            square(product1, product2, product3, 15, 1);
            square(z, product3, next, 13, 0.25f);
            std::swap(z, next);
        }
        return z;
    }

    const LowRankShape& s;
    const AttentionShape& a;
    const int64_t d, r;
    const LaunchOptions& options;
    Launcher launcher;
    uint64_t q = 0, k = 0, v = 0, o = 0, lse = 0;
};

} // namespace

void checkShape(const LowRankShape& s) {
    checkShape(s.attention);
    const AttentionShape& a = s.attention;
    if (a.causal)
        throw InputError("low-rank attention: causal, but few keys are made of keys of all positions");
    const int64_t rows = s.method == LowRankMethod::Linformer ? INT16_MAX * int64_t{2}
                         : s.method == LowRankMethod::Pooling ? a.keyLen
                                                              : std::min(a.queryLen, a.keyLen);
    if (s.rank < 1 || s.rank > std::max<int64_t>(rows, 1))
        throw InputError(
            fmt::format("low-rank attention: rank {}, expected 1 to {}", s.rank, std::max<int64_t>(rows, 1)));
    if (saturatedProduct(queryHeads(s), s.rank) > INT32_MAX)
        throw InputError(
            fmt::format("low-rank attention: {} heads of rank {} are too many for one launch", queryHeads(s), s.rank));
}

std::string whyNot(const LowRankShape& s) {
    return s.method == LowRankMethod::Nystrom ? "its pseudo-inverse is by singular values, which the CPU works out; "
                                                "nystrom-iterated runs on a GPU"
                                              : "";
}

LowRankRun lowRankForward(KernelLibrary& library, const LowRankShape& s, const float* q, const float* k, const float* v,
                          const float* e, const float* f, const LaunchOptions& options) {
    checkShape(s);
    if (const std::string why = whyNot(s); !why.empty())
        throw InputError("low-rank attention: " + why);
    if (isEmpty(s)) {
        checkCancelled(options.cancel);
        return {{},
                std::vector<float>(static_cast<size_t>(queryHeads(s) * s.attention.queryLen * s.attention.headDim))};
    }
    return Run(library, s, options).run(q, k, v, e, f);
}

int64_t sharedBytes(const LowRankShape& s) {
    const int64_t d = s.attention.headDim;
    return isIterated(s) ? std::max(fewSharedBytes(d), flashSharedBytes(d, 32)) : flashSharedBytes(d, 32);
}

int64_t deviceBytes(const LowRankShape& s) {
    const auto times = [](int64_t x, int64_t y) { return saturatedProduct(x, y); };
    const AttentionShape& a = s.attention;
    const int64_t d = a.headDim, r = s.rank, rows = times(queryHeads(s), r), keyRows = times(keyHeads(s), r);
    int64_t numbers = 0;
    const auto add = [&](int64_t count) { numbers = saturatedSum(numbers, count); };
    add(times(times(queryHeads(s), a.queryLen), 2 * d + 1));
    add(times(times(keyHeads(s), a.keyLen), 2 * d));
    if (isIterated(s)) {
        add(times(rows, 4 * d));
        add(times(times(rows, splitsOf(a.keyLen, keysOfFewQueries)), d + 2));
        add(times(rows, times(6, r)));
    } else
        add(times(keyRows, 2 * d));
    if (s.method == LowRankMethod::Linformer) {
        add(times(2 * r, a.keyLen));
        if (const int64_t splits = splitsOf(a.keyLen, keysOfProduct); splits > 1)
            add(times(times(keyRows, splits), d));
    }
    return times(4, numbers);
}

} // namespace warplight::gpu
