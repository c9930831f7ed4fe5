// Mamba's selective scan in f32: h_t = exp(D_t A) h_{t-1} + D_t B_t u_t, y_t = C_t · h_t + D u_t, times silu(z_t) where z is
// given; D_t is delta + bias, or softplus of that. A linear recurrence h = a h + b joins: (a', b') after (a, b) is
// (a' a, a' b + b'), so that threads scan parts of the sequence at once.
//
//   selective_fused        A block has a channel. Each thread takes consecutive steps, makes their a and b in registers and
//                          joins them; a scan over threads says what came before. States never go to memory: only what one
//                          chunk of steps leaves for the next is kept, in shared memory. B and C are read for each channel.
//   selective_fused_short  the same with one warp, for short sequences.
//   selective_terms        unfused, as a framework does it: a and b of every step and state to memory,
//   selective_states       the scan of each, whose states go to memory again,
//   selective_read         and what C reads of them.
//
// Tensors are contiguous, the last axis fastest: u, delta, z, y [batch, dim, len]; a [dim, state]; b, c [batch, groups, state,
// len]; d, bias [dim]; first, last [batch, dim, state]; decays, added, states [batch, dim, state, len].

#include "selective_scan.cuh"

namespace {

struct SelectiveProblem {
    const float *u, *delta, *a, *b, *c;
    const float *d, *z, *bias, *first; ///< null: none
    float *y, *last;
    int dim, len, state, groups, softplus, unused;
};

/// Of all threads before this one in its block, from `carry` on; `totals` [warps] is shared memory that nobody else uses
/// until the next but one call. Has a barrier in it where there are several warps.
template <int warps>
__device__ __forceinline__ float stateBefore(Pair own, float carry, Pair* totals) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
        const Pair early = {__shfl_up_sync(0xffffffffu, own.a, distance), __shfl_up_sync(0xffffffffu, own.b, distance)};
        if (lane >= distance)
            own = joined(early, own);
    }
    Pair before = {__shfl_up_sync(0xffffffffu, own.a, 1), __shfl_up_sync(0xffffffffu, own.b, 1)};
    if (warps > 1) {
        if (lane == 31)
            totals[warp] = own;
        __syncthreads();
        for (int i = 0; i < warp; ++i)
            carry = totals[i].a * carry + totals[i].b;
    }
    return lane == 0 ? carry : before.a * carry + before.b;
}

template <int threads, int items>
__device__ void fused(const SelectiveProblem& p) {
    constexpr int warps = threads / 32, chunk = threads * items;
    __shared__ WarpSteps<items> stepsOf[warps];
    __shared__ float decayRate[mostStates], state[mostStates], channelBias, channelSkip;
    __shared__ Pair totals[2][warps];
    const int e = blockIdx.x, group = blockIdx.y * p.groups + e / (p.dim / p.groups);
    const long long channel = (long long)blockIdx.y * p.dim + e, row = channel * p.len;
    WarpSteps<items>& steps = stepsOf[threadIdx.x / 32];
    for (int n = threadIdx.x; n < p.state; n += threads) {
        decayRate[n] = p.a[(long long)e * p.state + n] * log2e;
        state[n] = p.first ? p.first[channel * p.state + n] : 0;
    }
    if (threadIdx.x == 0) {
        channelBias = p.bias ? p.bias[e] : 0;
        channelSkip = p.d ? p.d[e] : 0;
    }
    for (int begin = 0; begin < p.len; begin += chunk) {
        const int warpFirst = begin + threadIdx.x / 32 * 32 * items, first = begin + threadIdx.x * items;
        float size[items], input[items], y[items];
        steps.load(p.u + row, warpFirst, p.len, input);
        steps.load(p.delta + row, warpFirst, p.len, size);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < items; ++i) {
            size[i] = stepSize(size[i], channelBias, p.softplus);
            y[i] = p.d ? channelSkip * input[i] : 0;
            input[i] *= size[i];
        }
#pragma unroll 1
        for (int n = 0; n < p.state; ++n) {
            const long long mixing = ((long long)group * p.state + n) * p.len;
            float decay[items], other[items];
            steps.load(p.b + mixing, warpFirst, p.len, other);
            Pair own = {1, 0};
#pragma unroll
            for (int i = 0; i < items; ++i) {
                decay[i] = first + i < p.len ? exp2f(size[i] * decayRate[n]) : 1;
                other[i] = first + i < p.len ? input[i] * other[i] : 0;
                own = joined(own, {decay[i], other[i]});
            }
            float h = stateBefore<warps>(own, state[n], totals[n % 2]);
#pragma unroll
            for (int i = 0; i < items; ++i)
                other[i] = h = decay[i] * h + other[i];
            __syncwarp();
            if (threadIdx.x == threads - 1)
                state[n] = h;
            float reads[items];
            steps.load(p.c + mixing, warpFirst, p.len, reads);
#pragma unroll
            for (int i = 0; i < items; ++i)
                y[i] += reads[i] * other[i];
        }
        if (p.z) {
            steps.load(p.z + row, warpFirst, p.len, input);
#pragma unroll
            for (int i = 0; i < items; ++i)
                y[i] *= silu(input[i]);
        }
        steps.store(p.y + row, warpFirst, p.len, y);
        __syncthreads();
    }
    for (int n = threadIdx.x; n < p.state; n += threads)
        p.last[channel * p.state + n] = state[n];
}

} // namespace

// Grid (dim, batch).
extern "C" __global__ void __launch_bounds__(128, 4) selective_fused(SelectiveProblem p) { fused<128, 8>(p); }
extern "C" __global__ void __launch_bounds__(32) selective_fused_short(SelectiveProblem p) { fused<32, 4>(p); }

/// Grid (tiles of 256 steps, dim, batch), 256 threads.
extern "C" __global__ void __launch_bounds__(256) selective_terms(SelectiveProblem p, float* decays, float* added) {
    __shared__ float decayRate[mostStates], channelBias;
    const int e = blockIdx.y, t = blockIdx.x * 256 + threadIdx.x, group = blockIdx.z * p.groups + e / (p.dim / p.groups);
    const long long channel = (long long)blockIdx.z * p.dim + e;
    if (threadIdx.x < p.state)
        decayRate[threadIdx.x] = p.a[(long long)e * p.state + threadIdx.x] * log2e;
    if (threadIdx.x == 0)
        channelBias = p.bias ? p.bias[e] : 0;
    __syncthreads();
    if (t >= p.len)
        return;
    const float size = stepSize(p.delta[channel * p.len + t], channelBias, p.softplus), input = size * p.u[channel * p.len + t];
    for (int n = 0; n < p.state; ++n) {
        const long long to = (channel * p.state + n) * p.len + t;
        decays[to] = exp2f(size * decayRate[n]);
        added[to] = input * p.b[((long long)group * p.state + n) * p.len + t];
    }
}

/// Grid (states, dim, batch), one warp.
extern "C" __global__ void __launch_bounds__(32) selective_states(SelectiveProblem p, const float* decays, const float* added, float* states) {
    constexpr int items = 4;
    __shared__ WarpSteps<items> steps;
    const long long state = ((long long)blockIdx.z * p.dim + blockIdx.y) * p.state + blockIdx.x, row = state * p.len;
    const int lane = threadIdx.x;
    float h = 0; // of the last lane
    if (p.first && lane == 31)
        h = p.first[state];
    for (int begin = 0; begin < p.len; begin += 32 * items) {
        float decay[items], input[items];
        steps.load(decays + row, begin, p.len, decay);
        steps.load(added + row, begin, p.len, input);
        Pair own = {1, 0};
#pragma unroll
        for (int i = 0; i < items; ++i) {
            decay[i] = begin + lane * items + i < p.len ? decay[i] : 1;
            own = joined(own, {decay[i], input[i]});
        }
        h = stateBefore<1>(own, __shfl_sync(0xffffffffu, h, 31), nullptr);
#pragma unroll
        for (int i = 0; i < items; ++i)
            input[i] = h = decay[i] * h + input[i];
        steps.store(states + row, begin, p.len, input);
    }
    if (lane == 31)
        p.last[state] = h;
}

/// Grid (tiles of 256 steps, dim, batch), 256 threads.
extern "C" __global__ void __launch_bounds__(256) selective_read(SelectiveProblem p, const float* states) {
    __shared__ float channelSkip;
    const int e = blockIdx.y, t = blockIdx.x * 256 + threadIdx.x, group = blockIdx.z * p.groups + e / (p.dim / p.groups);
    const long long channel = (long long)blockIdx.z * p.dim + e;
    if (threadIdx.x == 0)
        channelSkip = p.d ? p.d[e] : 0;
    __syncthreads();
    if (t >= p.len)
        return;
    const long long at = channel * p.len + t;
    float y = p.d ? channelSkip * p.u[at] : 0;
    for (int n = 0; n < p.state; ++n)
        y += p.c[((long long)group * p.state + n) * p.len + t] * states[(channel * p.state + n) * p.len + t];
    p.y[at] = p.z ? y * silu(p.z[at]) : y;
}
