// Gradients of Mamba's selective scan (selective_scan.cu) in f32, of the sum of dy · y. With p_t = C_t · h_t + D u_t, y_t = p_t
// silu(z_t), dp_t = dy_t silu(z_t) and a_t = exp(D_t A), the gradient of a state is g_t = C_t dp_t + a_{t+1} g_{t+1}; from it
// come dB_t = D_t u_t g_t and dC_t = h_t dp_t, summed over the channels of a group, du_t = D dp_t + D_t B_t · g_t,
// dD_t = g_t · (A a_t h_{t-1} + B_t u_t) and dA = the sum of D_t g_t a_t h_{t-1}.
//
//   selective_backward        A block has up to four channels of a group, which read B and C together. It goes through time
//                             once forwards, chunk by chunk of steps, and keeps what states are at the beginnings of chunks;
//                             then it goes back: of each chunk it makes the states again and scans backwards, both scans over
//                             threads in one. Sums over channels and sequences are left to the next: no atomics, one order.
//   selective_backward_short  the same with one warp, for one chunk.
//   selective_backward_sum    adds up what blocks of a group, or sequences, have left, one after the other.
//
// Tensors are contiguous, the last axis fastest, as those that they are gradients of; states [batch, dim, chunks - 1, state];
// ofA [batch, dim, state]; ofB and ofC [batch, blocks, state, len]; ofD and ofBias [batch, dim].
#include "selective_scan.cuh"

namespace {

constexpr int bundle = 4; ///< channels of a block
constexpr float ln2 = 0.693147181f;

struct BackwardProblem {
    const float *u, *delta, *a, *b, *c, *dy;
    const float *d, *z, *bias, *first; ///< null: none
    float *du, *ddelta, *dz, *states, *ofA, *ofB, *ofC, *ofD, *ofBias;
    int dim, len, state, groups, softplus, unused;
};

__device__ __forceinline__ float sigmoid(float x) { return 1 / (1 + expf(-x)); }

__device__ __forceinline__ float warpSum(float x) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, distance);
    return x;
}

__device__ __forceinline__ Pair fromAbove(Pair x, int distance) {
    return {__shfl_down_sync(0xffffffffu, x.a, distance), __shfl_down_sync(0xffffffffu, x.b, distance)};
}
__device__ __forceinline__ Pair fromBelow(Pair x, int distance) {
    return {__shfl_up_sync(0xffffffffu, x.a, distance), __shfl_up_sync(0xffffffffu, x.b, distance)};
}

/// What steps of the whole block together do to a state, for thread 0. Has a barrier in it; `totals`: as bothWays has them.
template <int warps>
__device__ __forceinline__ float stateBehind(Pair own, float state, Pair (&totals)[2][warps]) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2)
        own = joined(own, fromAbove(own, distance)); // of lane 0
    if (lane == 0)
        totals[0][threadIdx.x / 32] = own;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int i = 0; i < warps; ++i)
            state = totals[0][i].a * state + totals[0][i].b;
    return state;
}

/// The state that comes into a thread's steps and the gradient that comes back into them, where `forth` and `back` are what its
/// steps do to these, from `state` and `gradient` at the two ends of the block. `totals` is shared memory that nobody else uses
/// until the next but one call. Has a barrier in it.
struct Meeting {
    float state, gradient;
};
template <int warps>
__device__ __forceinline__ Meeting bothWays(Pair forth, Pair back, float state, float gradient, Pair (&totals)[2][warps]) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
        const Pair early = fromBelow(forth, distance), late = fromAbove(back, distance);
        if (lane >= distance)
            forth = joined(early, forth);
        if (lane + distance < 32)
            back = joined(late, back);
    }
    const Pair before = fromBelow(forth, 1), behind = fromAbove(back, 1);
    if (lane == 31)
        totals[0][warp] = forth;
    if (lane == 0)
        totals[1][warp] = back;
    __syncthreads();
#pragma unroll 1
    for (int i = 0; i < warp; ++i)
        state = totals[0][i].a * state + totals[0][i].b;
#pragma unroll 1
    for (int i = warps - 1; i > warp; --i)
        gradient = totals[1][i].a * gradient + totals[1][i].b;
    return {lane == 0 ? state : before.a * state + before.b, lane == 31 ? gradient : behind.a * gradient + behind.b};
}

template <int threads, int items>
__device__ void backward(const BackwardProblem& p) {
    constexpr int warps = threads / 32, chunk = threads * items;
    __shared__ WarpSteps<items> stepsOf[warps];
    constexpr int numbers = bundle * mostStates; // as [channel][p.state], without gaps
    __shared__ float decayRate[numbers], state[numbers], gradient[numbers], ofA[warps][numbers];
    __shared__ float ofVectors[warps][bundle][2], channelBias[bundle], channelSkip[bundle];
    __shared__ float dp[bundle][items][threads]; // each thread its own: there are not registers enough
    __shared__ Pair totals[2][2][warps];
    const int perGroup = p.dim / p.groups, blocks = (perGroup + bundle - 1) / bundle, group = blockIdx.x / blocks;
    const int inGroup = blockIdx.x % blocks * bundle, e = group * perGroup + inGroup, count = min(bundle, perGroup - inGroup);
    const int chunks = (p.len + chunk - 1) / chunk, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const long long channel = (long long)blockIdx.y * p.dim + e, rows = channel * p.len;
    const long long mixings = ((long long)blockIdx.y * p.groups + group) * p.state * p.len;
    const long long parts = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * p.state * p.len;
    WarpSteps<items>& steps = stepsOf[warp];
    for (int i = threadIdx.x; i < count * p.state; i += threads) {
        decayRate[i] = p.a[(long long)e * p.state + i] * log2e;
        state[i] = p.first && chunks > 1 ? p.first[channel * p.state + i] : 0;
        gradient[i] = 0;
        for (int w = 0; w < warps; ++w)
            ofA[w][i] = 0;
    }
    if (threadIdx.x < count) {
        channelBias[threadIdx.x] = p.bias ? p.bias[e + threadIdx.x] : 0;
        channelSkip[threadIdx.x] = p.d ? p.d[e + threadIdx.x] : 0;
        for (int w = 0; w < warps; ++w)
            ofVectors[w][threadIdx.x][0] = ofVectors[w][threadIdx.x][1] = 0;
    }
    __syncthreads();
    float size[bundle][items], u[bundle][items];
    const auto loadInputs = [&](int begin) {
        const int warpFirst = begin + warp * 32 * items, first = begin + threadIdx.x * items;
#pragma unroll
        for (int c = 0; c < bundle; ++c)
            if (c < count) {
                steps.load(p.u + rows + (long long)c * p.len, warpFirst, p.len, u[c]);
                steps.load(p.delta + rows + (long long)c * p.len, warpFirst, p.len, size[c]);
#pragma unroll
                for (int i = 0; i < items; ++i)
                    size[c][i] = first + i < p.len ? stepSize(size[c][i], channelBias[c], p.softplus) : 0;
            }
    };
    int turn = 0;

    for (int k = 0; k + 1 < chunks; ++k) {
        loadInputs(k * chunk);
#pragma unroll 1
        for (int n = 0; n < p.state; ++n) {
            float b[items];
            steps.load(p.b + mixings + (long long)n * p.len, k * chunk + warp * 32 * items, p.len, b);
#pragma unroll
            for (int c = 0; c < bundle; ++c)
                if (c < count) {
                    Pair own = {1, 0};
#pragma unroll
                    for (int i = 0; i < items; ++i)
                        own = joined(own, {exp2f(size[c][i] * decayRate[c * p.state + n]), size[c][i] * u[c][i] * b[i]});
                    const float behind = stateBehind<warps>(own, state[c * p.state + n], totals[turn]);
                    if (threadIdx.x == 0)
                        state[c * p.state + n] = behind;
                    turn ^= 1;
                }
        }
        __syncthreads();
        for (int i = threadIdx.x; i < count * p.state; i += threads)
            p.states[((channel + i / p.state) * (chunks - 1) + k) * p.state + i % p.state] = state[i];
    }

    for (int k = chunks - 1; k >= 0; --k) {
        const int warpFirst = k * chunk + warp * 32 * items, first = k * chunk + threadIdx.x * items;
        __syncthreads();
        for (int i = threadIdx.x; i < count * p.state; i += threads) {
            if (k > 0)
                state[i] = p.states[((channel + i / p.state) * (chunks - 1) + k - 1) * p.state + i % p.state];
            else
                state[i] = p.first ? p.first[channel * p.state + i] : 0;
        }
        __syncthreads();
        loadInputs(k * chunk);
        float out[bundle][items], read[bundle][items], decayed[bundle][items];
#pragma unroll
        for (int c = 0; c < bundle; ++c)
            if (c < count) {
                const long long row = rows + (long long)c * p.len;
                float gated[items];
                steps.load(p.dy + row, warpFirst, p.len, gated);
                if (p.z) {
                    float z[items];
                    steps.load(p.z + row, warpFirst, p.len, z);
#pragma unroll
                    for (int i = 0; i < items; ++i)
                        gated[i] *= silu(z[i]);
                }
#pragma unroll
                for (int i = 0; i < items; ++i) {
                    dp[c][i][threadIdx.x] = gated[i];
                    out[c][i] = read[c][i] = decayed[c][i] = 0;
                }
            }
        long long mixing = mixings, part = parts;
#pragma unroll 1
        for (int n = 0; n < p.state; ++n, mixing += p.len, part += p.len) {
            float b[items], reads[items], ofB[items] = {}, ofC[items] = {};
            steps.load(p.b + mixing, warpFirst, p.len, b);
            steps.load(p.c + mixing, warpFirst, p.len, reads);
#pragma unroll
            for (int c = 0; c < bundle; ++c)
                if (c < count) {
                    const float rate = decayRate[c * p.state + n];
                    float decay[items], h[items + 1];
                    Pair forth = {1, 0}, back = {1, 0};
#pragma unroll
                    for (int i = 0; i < items; ++i) {
                        decay[i] = first + i < p.len ? exp2f(size[c][i] * rate) : 1;
                        forth = joined(forth, {decay[i], size[c][i] * u[c][i] * b[i]});
                    }
#pragma unroll
                    for (int i = items - 1; i >= 0; --i)
                        back = joined(back, {decay[i], decay[i] * (reads[i] * dp[c][i][threadIdx.x])});
                    const Meeting met = bothWays<warps>(forth, back, state[c * p.state + n], gradient[c * p.state + n], totals[turn]);
                    turn ^= 1;
                    h[0] = met.state;
#pragma unroll
                    for (int i = 0; i < items; ++i)
                        h[i + 1] = decay[i] * h[i] + size[c][i] * u[c][i] * b[i];
                    float carry = met.gradient, own = 0;
#pragma unroll
                    for (int i = items - 1; i >= 0; --i) {
                        const float dh = reads[i] * dp[c][i][threadIdx.x] + carry;
                        const float kept = first + i < p.len ? dh * (decay[i] * h[i]) : 0;
                        ofB[i] += size[c][i] * u[c][i] * dh;
                        ofC[i] += dp[c][i][threadIdx.x] * h[i + 1];
                        out[c][i] += reads[i] * h[i + 1];
                        read[c][i] += b[i] * dh;
                        decayed[c][i] += rate * kept;
                        own += size[c][i] * kept;
                        carry = decay[i] * dh;
                    }
                    own = warpSum(own);
                    if (lane == 0)
                        ofA[warp][c * p.state + n] += own;
                    if (threadIdx.x == 0)
                        gradient[c * p.state + n] = carry;
                }
            steps.store(p.ofB + part, warpFirst, p.len, ofB);
            steps.store(p.ofC + part, warpFirst, p.len, ofC);
        }
#pragma unroll
        for (int c = 0; c < bundle; ++c)
            if (c < count) {
                const long long row = rows + (long long)c * p.len;
                float made[items], ofD = 0, ofBias = 0;
                if (p.z) {
                    float z[items];
                    steps.load(p.z + row, warpFirst, p.len, z);
                    steps.load(p.dy + row, warpFirst, p.len, made);
#pragma unroll
                    for (int i = 0; i < items; ++i) {
                        const float gate = sigmoid(z[i]), before = p.d ? out[c][i] + channelSkip[c] * u[c][i] : out[c][i];
                        made[i] *= before * gate * (1 + z[i] * (1 - gate));
                    }
                    steps.store(p.dz + row, warpFirst, p.len, made);
                }
#pragma unroll
                for (int i = 0; i < items; ++i) {
                    made[i] = size[c][i] * read[c][i];
                    if (p.d)
                        made[i] += channelSkip[c] * dp[c][i][threadIdx.x];
                    ofD += dp[c][i][threadIdx.x] * u[c][i];
                }
                steps.store(p.du + row, warpFirst, p.len, made);
#pragma unroll
                for (int i = 0; i < items; ++i) {
                    made[i] = decayed[c][i] * ln2 + u[c][i] * read[c][i];
                    if (p.softplus)
                        made[i] *= -expm1f(-size[c][i]); // the slope of softplus, from its value
                    ofBias += made[i]; // 0 behind the end
                }
                steps.store(p.ddelta + row, warpFirst, p.len, made);
                ofD = warpSum(ofD);
                ofBias = warpSum(ofBias);
                if (lane == 0) {
                    ofVectors[warp][c][0] += ofD;
                    ofVectors[warp][c][1] += ofBias;
                }
            }
    }

    __syncthreads();
    for (int i = threadIdx.x; i < count * p.state; i += threads) {
        float sum = 0;
        for (int w = 0; w < warps; ++w)
            sum += ofA[w][i];
        p.ofA[channel * p.state + i] = sum;
    }
    if (threadIdx.x < count) {
        float d = 0, bias = 0;
        for (int w = 0; w < warps; ++w) {
            d += ofVectors[w][threadIdx.x][0];
            bias += ofVectors[w][threadIdx.x][1];
        }
        if (p.d)
            p.ofD[channel + threadIdx.x] = d;
        if (p.bias)
            p.ofBias[channel + threadIdx.x] = bias;
    }
}

} // namespace

// Grid (blocks of all groups, batch).
extern "C" __global__ void __launch_bounds__(128, 3) selective_backward(BackwardProblem p) { backward<128, 4>(p); }
extern "C" __global__ void __launch_bounds__(32) selective_backward_short(BackwardProblem p) { backward<32, 4>(p); }

/// to[o][i] = Σ_k parts[o][k][i]. Grid (tiles of 256 numbers i, o as two axes), 256 threads.
extern "C" __global__ void __launch_bounds__(256) selective_backward_sum(const float* parts, float* to, long long numbers, int count) {
    const long long i = (long long)blockIdx.x * 256 + threadIdx.x, o = (long long)blockIdx.z * gridDim.y + blockIdx.y;
    if (i >= numbers)
        return;
    float sum = 0;
    for (int k = 0; k < count; ++k)
        sum += parts[(o * count + k) * numbers + i];
    to[o * numbers + i] = sum;
}
