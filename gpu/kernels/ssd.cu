// Mamba-2's SSD step by step, in f32, and its decays.
#include "linear_attention_recurrent.cuh"
#include "ssd.cuh"

/// e^a from [batch, length, heads] to [batch, heads, length]. Without a state to begin with (`fresh`) step 0's is 0: it has
/// nothing to act on, not even as NaN. Grid: (tiles of 32 steps, tiles of 32 heads, batch); 256 threads.
extern "C" __global__ void __launch_bounds__(256) ssd_decays(const float* a, float* decay, int length, int heads, int fresh) {
    __shared__ float tile[32][33];
    const int lane = threadIdx.x % 32, step = blockIdx.x * 32, head = blockIdx.y * 32;
    const long long batch = blockIdx.z;
    for (int i = threadIdx.x / 32; i < 32; i += 8)
        if (step + i < length && head + lane < heads)
            tile[i][lane] = a[(batch * length + step + i) * heads + head + lane];
    __syncthreads();
    for (int i = threadIdx.x / 32; i < 32; i += 8)
        if (step + lane < length && head + i < heads)
            decay[(batch * heads + head + i) * length + step + lane] = fresh && step + lane == 0 ? 0 : expf(tile[lane][i]);
}

// Kernels for up to D numbers of a state's row. Grid: (tiles of 32 columns, heads); 128 threads.
#define SSD_RECURRENT(D) \
    extern "C" __global__ void __launch_bounds__(128, 2) ssd_recurrent_d##D(SsdProblem<float> p) { recurrent<D, Rule::Retention>(p); }
SSD_RECURRENT(32)
SSD_RECURRENT(64)
SSD_RECURRENT(128)
SSD_RECURRENT(256)
