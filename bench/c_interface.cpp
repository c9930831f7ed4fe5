// What compare_pytorch.py calls through ctypes.
#include "core/cpu/attention.h"
#include "core/cpu/machine.h"

#include <cmath>
#include <exception>

extern "C" {

/// One forward call of the named rung on contiguous f32 tensors [heads, seqLen, headDim] with scale 1/√headDim.
/// Returns the extra bytes it held, or -1 when it failed.
int64_t warplight_attention(const char* rung, int64_t heads, int64_t seqLen, int64_t headDim, int causal, int threads,
                            const float* q, const float* k, const float* v, float* o) {
    using namespace warplight::cpu;
    try {
        AttentionProblem problem{1, heads, heads, seqLen, seqLen, headDim};
        problem.scale = 1.0f / std::sqrt(static_cast<float>(headDim));
        problem.causal = causal != 0;
        problem.q = q;
        problem.k = k;
        problem.v = v;
        problem.o = o;
        Execution execution;
        execution.threads = threads;
        return attentionForward(implementationByName(rung), problem, execution).extraBytes;
    } catch (const std::exception&) {
        return -1;
    }
}

double warplight_fma_peak(int threads, double seconds) { return warplight::cpu::measureFmaPeak(threads, seconds); }
}
