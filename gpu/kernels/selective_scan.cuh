// What selective_scan.cu and selective_scan_backward.cu have in common: the size of a step, steps of a row spread over a
// warp, and the pairs that its scans join.
#pragma once

namespace {

constexpr float log2e = 1.44269504f;
constexpr int mostStates = 256;

__device__ __forceinline__ float stepSize(float delta, float bias, int softplus) {
    const float x = delta + bias;
    return softplus && !(x > 20) ? log1pf(expf(x)) : x;
}
__device__ __forceinline__ float silu(float z) { return z / (1 + expf(-z)); }

/// Steps of a warp, between a layout whose lanes are neighbours in memory and one whose lanes have `items` steps in a row
/// each. One number in 32 is left out, so that neither layout meets a bank twice.
template <int items>
struct WarpSteps {
    float at[32 * items + items];

    static __device__ __forceinline__ int place(int step) { return step + step / 32; }
    /// Steps first … of a row that has `len`; 0 behind its end.
    __device__ void load(const float* row, int first, int len, float (&to)[items]) {
        const int lane = threadIdx.x % 32;
        __syncwarp();
#pragma unroll
        for (int i = 0; i < items; ++i) {
            const int step = i * 32 + lane;
            at[place(step)] = first + step < len ? row[first + step] : 0;
        }
        __syncwarp();
#pragma unroll
        for (int i = 0; i < items; ++i)
            to[i] = at[place(lane * items + i)];
    }
    __device__ void store(float* row, int first, int len, const float (&from)[items]) {
        const int lane = threadIdx.x % 32;
        __syncwarp();
#pragma unroll
        for (int i = 0; i < items; ++i)
            at[place(lane * items + i)] = from[i];
        __syncwarp();
#pragma unroll
        for (int i = 0; i < items; ++i)
            if (const int step = i * 32 + lane; first + step < len)
                row[first + step] = at[place(step)];
    }
};

/// What steps do to a state h: a h + b.
struct Pair {
    float a, b;
};
__device__ __forceinline__ Pair joined(Pair early, Pair late) { return {late.a * early.a, late.a * early.b + late.b}; }

} // namespace
