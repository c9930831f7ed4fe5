// SPDX-License-Identifier: GPL-3.0-or-later
// What compare_pytorch.py, compare_linear.py and compare_ssm.py call through ctypes.
#include "core/cpu/attention/attention.h"
#include "core/cpu/attention/attention_map.h"
#include "core/cpu/attention/backward.h"
#include "core/cpu/fma_loop.h"
#include "core/cpu/linear/linear_attention.h"
#include "core/cpu/machine.h"
#include "core/cpu/parallel.h"
#include "core/cpu/ssm/selective_kernels.h"
#include "core/cpu/ssm/selective_scan.h"
#include "core/cpu/target.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>

namespace {

using namespace warplight::cpu;

/// Of contiguous f32 tensors [heads, seqLen, headDim], lse [heads, seqLen] or null, with scale 1/√headDim.
AttentionProblem problemOf(int64_t heads, int64_t seqLen, int64_t headDim, int causal, const float* q, const float* k,
                           const float* v, float* o, float* lse) {
    AttentionProblem problem{1, heads, heads, seqLen, seqLen, headDim};
    problem.scale = 1.0f / std::sqrt(static_cast<float>(headDim));
    problem.causal = causal != 0;
    problem.q = q;
    problem.k = k;
    problem.v = v;
    problem.o = o;
    problem.lse = lse;
    return problem;
}

} // namespace

extern "C" {

/// One forward call of the named rung. Returns the extra bytes it held, or -1 when it failed.
int64_t warplight_attention(const char* rung, int64_t heads, int64_t seqLen, int64_t headDim, int causal, int threads,
                            const float* q, const float* k, const float* v, float* o, float* lse) {
    try {
        const AttentionProblem problem = problemOf(heads, seqLen, headDim, causal, q, k, v, o, lse);
        Execution execution;
        execution.threads = threads;
        return attentionForward(implementationByName(rung), problem, execution).extraBytes;
    } catch (const std::exception&) {
        return -1;
    }
}

/// One backward call of `flash2-bwd` behind a forward one that left O and lse. Returns as warplight_attention does.
int64_t warplight_attention_backward(int64_t heads, int64_t seqLen, int64_t headDim, int causal, int threads,
                                     const float* q, const float* k, const float* v, float* o, float* lse,
                                     const float* dOut, float* dq, float* dk, float* dv) {
    try {
        const BackwardProblem problem{problemOf(heads, seqLen, headDim, causal, q, k, v, o, lse), dOut, dq, dk, dv};
        return attentionBackward(BackwardRung::Flash2, problem, {threads, nullptr}).extraBytes;
    } catch (const std::exception&) {
        return -1;
    }
}

/// One call of a form of linear attention under rule add, φ by name, on tensors as above. Returns as
/// warplight_attention does; `flops`, if not null, gets what the form does.
int64_t warplight_linear_attention(const char* form, const char* map, int64_t heads, int64_t seqLen, int64_t headDim,
                                   int64_t chunk, int causal, int threads, const float* q, const float* k,
                                   const float* v, float* o, double* flops) {
    try {
        LinearShape shape;
        shape.heads = heads;
        shape.queryLen = shape.keyLen = seqLen;
        shape.headDim = shape.valueDim = headDim;
        shape.map = featureMapByName(map);
        shape.causal = causal != 0;
        shape.chunk = chunk;
        LinearTensors<float> tensors;
        tensors.q = q;
        tensors.k = k;
        tensors.v = v;
        tensors.o = o;
        if (flops)
            *flops = flopsOf(linearFormByName(form), shape);
        return linearAttention(linearFormByName(form), shape, tensors, {threads, nullptr}).extraBytes;
    } catch (const std::exception&) {
        return -1;
    }
}

/// One selective scan of the rung `fused` on tensors as selectiveScan has them; d, z, bias, first and last may be null.
/// Returns as warplight_attention does.
int64_t warplight_selective_scan(int64_t batch, int64_t dim, int64_t length, int64_t state, int softplus, int threads,
                                 const float* u, const float* delta, const float* a, const float* b, const float* c,
                                 const float* d, const float* z, const float* bias, const float* first, float* y,
                                 float* last) {
    try {
        SelectiveShape shape;
        shape.batch = batch, shape.dim = dim, shape.length = length, shape.state = state;
        shape.softplus = softplus != 0;
        const SelectiveTensors<float> tensors{u, delta, a, b, c, d, z, bias, first, y, last};
        return selectiveScan(SelectiveRung::Fused, shape, tensors, {threads, nullptr}).extraBytes;
    } catch (const std::exception&) {
        return -1;
    }
}

/// So many exponentials, as the selective scan computes them, of numbers that stay in the cache, on each thread at
/// once. Returns how many there were.
double warplight_exponentials(int64_t rounds, int threads) {
    constexpr int64_t count = 2048;
    const int workers = workerCount(threads);
    parallelItems(workers, workers, nullptr, [&](int64_t, int) {
        alignas(64) float x[count];
        for (float& each : x)
            each = -0.3f;
        for (int64_t i = 0; i < rounds; ++i)
            selectiveKernels().exp2(x, count);
    });
    return static_cast<double>(rounds) * static_cast<double>(count) * workers;
}

/// Bytes a second of a streaming triad larger than the caches: two arrays read, one written.
double warplight_bandwidth(int threads, double seconds) { return measurePeaks(threads, seconds).bandwidth; }

/// FLOPs of so many rounds of independent fused multiply-adds on one thread: for who keeps the time.
double warplight_fma_loop(int64_t iterations) {
    static float sink = 0;
    return fmaLoop(iterations, &sink);
}

/// Seconds that both passes of the attention map take; q, k [seqLen, headDim], lse and entropy [seqLen].
double warplight_map_seconds(int64_t seqLen, int64_t headDim, int causal, int threads, const float* q, const float* k,
                             float* lse, float* entropy) {
    const MapProblem problem{seqLen, seqLen, headDim, 1.0f / std::sqrt(static_cast<float>(headDim)), causal != 0, q, k};
    const auto start = std::chrono::steady_clock::now();
    const auto length = static_cast<size_t>(seqLen);
    mapStatistics(problem, {lse, length}, {entropy, length}, threads, nullptr);
    MapSummary summary;
    mapSummary(problem, {lse, length}, 64, 4, summary, threads, nullptr);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Restricts the kernels to an instruction set; returns 0, or -1 where the machine has no such one.
int warplight_use_target(const char* name) {
    try {
        useTarget(name);
        return 0;
    } catch (const std::exception&) {
        return -1;
    }
}

double warplight_fma_peak(int threads, double seconds) { return measureFmaPeak(threads, seconds); }
}
