// SPDX-License-Identifier: GPL-3.0-or-later
// Block-sparse attention against dense flash attention on the CPU: time over density · time of flash-packed, for masks
// of blocks and for patterns of pairs. Both are measured in turn; the least of several times counts. Times are those of
// all threads on the processor, so that a busy machine disturbs the ratio little; the wall's stand beside them.
//
//   sparse_bench [threads] [length] [rounds]        WARPLIGHT_TARGET=AVX2 as on a machine without more
#include "core/cpu/attention/attention.h"
#include "core/cpu/attention/block_sparse.h"
#include "core/cpu/target.h"
#include "core/sparse/blocked_mask.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fmt/format.h>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace warplight;

namespace {

constexpr int64_t headDim = 64, heads = 2, block = 64;

struct Seconds {
    double wall = std::numeric_limits<double>::infinity(), processor = wall;
    void least(const std::function<void()>& run) {
        const auto begin = std::chrono::steady_clock::now();
        const std::clock_t clock = std::clock();
        run();
        processor = std::min(processor, static_cast<double>(std::clock() - clock) / CLOCKS_PER_SEC);
        wall = std::min(wall, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
};

struct Case {
    std::string name;
    sparse::Pattern pattern;
};

/// Whole blocks: a band, or blocks by chance and the diagonal, of about a density.
sparse::Pattern blocksOf(int64_t n, double density, bool band) {
    sparse::Pattern p;
    p.queries = p.keys = n;
    const int64_t count = (n + block - 1) / block;
    std::vector<float> dice(static_cast<size_t>(count * count));
    tensor::fillUniform(dice, 42, 0, 0, 1);
    p.see = [=](int64_t, int64_t query, sparse::BitRow row) {
        const int64_t r = query / block;
        const auto width = static_cast<int64_t>(std::llround(density * static_cast<double>(count)));
        const int64_t first = std::clamp<int64_t>(r - width / 2, 0, count - width);
        for (int64_t c = 0; c < count; ++c)
            if (band ? c >= first && c < first + width
                     : r == c || static_cast<double>(dice[static_cast<size_t>(r * count + c)]) < density)
                row.setRange(c * block, (c + 1) * block);
    };
    return p;
}

sparse::Pattern patternOf(const char* name, int64_t n, int64_t window, int64_t stride, bool causal = false) {
    sparse::Parameters p;
    p.kind = sparse::kindByName(name);
    p.window = window;
    p.stride = stride;
    p.causal = causal;
    return makePattern(p, n, n);
}

} // namespace

int main(int argc, char** argv) {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
    const int64_t n = argc > 2 ? std::atoll(argv[2]) : 4096;
    const int rounds = argc > 3 ? std::atoi(argv[3]) : 7;
    if (const char* target = std::getenv("WARPLIGHT_TARGET"))
        cpu::useTarget(target);
    const auto size = static_cast<size_t>(heads * n * headDim);
    std::vector<float> q(size), k(size), v(size), o(size);
    uint64_t stream = 0;
    for (std::vector<float>* x : {&q, &k, &v})
        tensor::fillGaussian(*x, 1, stream++);
    std::vector<Case> cases;
    for (const bool band : {true, false})
        for (const double density : {0.05, 0.125, 0.25, 0.5})
            cases.push_back({fmt::format("{} blocks, {:g} %", band ? "band of" : "random", 100 * density),
                             blocksOf(n, density, band)});
    cases.push_back({"local, window n/16", patternOf("local", n, n / 16, 1)});
    cases.push_back({"local, window 64", patternOf("local", n, 64, 1)});
    cases.push_back({"longformer, window n/16", patternOf("longformer", n, n / 16, 1)});
    cases.push_back({"bigbird, window 128", patternOf("bigbird", n, 128, 1)});
    cases.push_back({"fixed, stride 256", patternOf("fixed", n, 1, 256)});
    cases.push_back({"strided, stride 128", patternOf("strided", n, 1, 128)});
    cases.push_back({"atrous, stride 128", patternOf("atrous", n, 1, 128)});
    fmt::print("{} threads, {} positions, {} heads of {}, blocks of {}\n", threads, n, heads, headDim, block);
    fmt::print("{:<26}{:>9}{:>9}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "pattern", "pairs %", "blocks %", "dense ms",
               "sparse ms", "to pairs", "to blocks", "wall dense", "wall sparse");
    for (const Case& c : cases) {
        const sparse::BlockedMask mask = blocked(c.pattern, block, {threads, nullptr});
        const cpu::AttentionProblem problem{
            1, heads, heads, n, n, headDim, 0.125f, c.pattern.causal, q.data(), k.data(), v.data(), o.data(), nullptr};
        cpu::AttentionProblem whole = problem;
        whole.causal = false;
        cpu::Execution execution;
        execution.threads = threads;
        Seconds dense, thin;
        for (int round = 0; round < rounds; ++round) {
            dense.least([&] { attentionForward(cpu::Implementation::FlashPacked, whole, execution); });
            thin.least([&] {
                blockSparseForward(cpu::BlockSparseRung::BlockSparse, {problem, mask.view()}, {threads, nullptr});
            });
        }
        const double pairs = static_cast<double>(mask.pairs) / static_cast<double>(n * n),
                     blocks = static_cast<double>(mask.visibleBlocks) /
                              static_cast<double>(mask.queryBlocks * mask.keyBlocks);
        fmt::print("{:<26}{:>9.2f}{:>9.2f}{:>12.2f}{:>12.2f}{:>12.2f}{:>12.2f}{:>12.2f}{:>12.2f}\n", c.name,
                   100 * pairs, 100 * blocks, 1e3 * dense.processor, 1e3 * thin.processor,
                   thin.processor / (pairs * dense.processor), thin.processor / (blocks * dense.processor),
                   1e3 * dense.wall, 1e3 * thin.wall);
    }
}
