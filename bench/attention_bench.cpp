// SPDX-License-Identifier: GPL-3.0-or-later
// Every rung over sequence length, head dimension and mask:  attention_bench --benchmark_filter=flash/64/.*/full
#include "core/cpu/attention/attention.h"
#include "core/cpu/machine.h"
#include "core/tensor/random.h"

#include <benchmark/benchmark.h>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <vector>

using namespace warplight;

namespace {

constexpr int64_t heads = 2;
constexpr double slowestPass = 4; // seconds: longer points are left out
constexpr double peakSeconds = 0.1;

/// FLOP/s that a rung reaches at least on two cores: decides which points are worth waiting for.
double leastRate(cpu::Implementation rung) {
    switch (rung) {
    case cpu::Implementation::Reference:
        return 2e9;
    case cpu::Implementation::Online:
        return 1e10;
    default:
        return 5e10;
    }
}

void forward(benchmark::State& state, cpu::Implementation rung, int64_t headDim, int64_t seqLen, bool causal) {
    const auto elements = static_cast<size_t>(heads * seqLen * headDim);
    std::vector<float> q(elements), k(elements), v(elements), o(elements);
    tensor::fillGaussian(q, 1, 0);
    tensor::fillGaussian(k, 1, 1);
    tensor::fillGaussian(v, 1, 2);
    cpu::AttentionProblem problem{1, heads, heads, seqLen, seqLen, headDim};
    problem.scale = 1 / std::sqrt(static_cast<float>(headDim));
    problem.causal = causal;
    problem.q = q.data();
    problem.k = k.data();
    problem.v = v.data();
    problem.o = o.data();
    const double peak = cpu::measureFmaPeak(0, peakSeconds);
    int64_t extraBytes = 0;
    for (auto _ : state)
        extraBytes = cpu::attentionForward(rung, problem).extraBytes;
    using benchmark::Counter;
    const double flops = cpu::usefulFlops(problem);
    state.counters["FLOP/s"] = Counter(flops, Counter::kIsIterationInvariantRate);
    state.counters["of_peak"] = Counter(flops / peak, Counter::kIsIterationInvariantRate);
    state.counters["extra_bytes"] = Counter(static_cast<double>(extraBytes), Counter::kDefaults, Counter::kIs1024);
}

} // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    for (const auto& rung : cpu::implementations())
        for (const int64_t headDim : {64, 128})
            for (int64_t seqLen = 512; seqLen <= 16384; seqLen *= 2)
                for (const bool causal : {false, true}) {
                    const double flops = 4.0 * static_cast<double>(heads * headDim * seqLen * seqLen);
                    if (flops / leastRate(rung.id) > slowestPass)
                        continue;
                    const std::string name =
                        fmt::format("{}/{}/{}/{}", rung.name, headDim, seqLen, causal ? "causal" : "full");
                    benchmark::RegisterBenchmark(
                        name.c_str(),
                        [=, id = rung.id](benchmark::State& state) { forward(state, id, headDim, seqLen, causal); })
                        ->UseRealTime()
                        ->Unit(benchmark::kMillisecond);
                }
    benchmark::RunSpecifiedBenchmarks();
}
