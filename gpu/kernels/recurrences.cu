// Recurrences step by step, in f32: channels or heads are parallel, the sequence is not.
//
//   lru     x_t = λ x_{t-1} + γ u_t of complex channels, a thread a channel.
//   rwkv4   o_t = (p + e^{u+k} v) / (q + e^{u+k}), p = e^w p + e^k v, q = e^w q + e^k, a thread a channel; p and q are kept
//           relative to the largest exponent so far.
//   rwkv6   o_t = (S + diag(u) k vᵀ)ᵀ r, S = diag(e^w) S + k vᵀ: a block holds 32 columns of a head's state in registers, four
//           lanes a column, lane `part` the rows part, part + 4, …

namespace {

constexpr int columns = 32, lanesPerColumn = 4, steps = 16;
constexpr float firstExponent = -1e38f;

/// e^(a - m) and e^(b - m) with m the larger of both: one of them is 1.
__device__ __forceinline__ void sharesOf(float a, float b, float& ofA, float& ofB) {
    const float smaller = expf(-fabsf(a - b));
    ofA = a >= b ? 1 : smaller;
    ofB = a >= b ? smaller : 1;
}

struct Rwkv6Problem {
    const float* r; ///< [batch, length, heads, keyDim], as k and w
    const float* k;
    const float* v; ///< [batch, length, heads, valueDim]
    const float* w;
    const float* u; ///< [heads, keyDim]
    float* o;       ///< [batch, length, heads, valueDim]
    float* last;    ///< [batch, heads, keyDim, valueDim]
    int length, heads, keyDim, valueDim;
};

template <int D>
__device__ void rwkv6(const Rwkv6Problem& p) {
    constexpr int perLane = D / lanesPerColumn;
    __shared__ float r[steps][D], k[steps][D], decay[steps][D], bonus[D], v[steps][columns], out[steps][columns + 1];
    const int head = blockIdx.y % p.heads, group = threadIdx.x / lanesPerColumn, part = threadIdx.x % lanesPerColumn;
    const long long batch = blockIdx.y / p.heads;
    const int firstColumn = blockIdx.x * columns, width = p.valueDim - firstColumn < columns ? p.valueDim - firstColumn : columns;
#pragma unroll 1
    for (int i = threadIdx.x; i < D; i += blockDim.x)
        bonus[i] = i < p.keyDim ? p.u[head * p.keyDim + i] : 0;
    float state[perLane] = {};
    for (int begin = 0; begin < p.length; begin += steps) {
        const int count = p.length - begin < steps ? p.length - begin : steps;
        const long long first = (batch * p.length + begin) * p.heads + head;
#pragma unroll 1
        for (int i = threadIdx.x; i < count * D; i += blockDim.x) {
            const int row = i / D, f = i % D;
            const long long at = (first + (long long)row * p.heads) * p.keyDim + f;
            const bool there = f < p.keyDim;
            r[row][f] = there ? p.r[at] : 0;
            k[row][f] = there ? p.k[at] : 0;
            decay[row][f] = there ? expf(p.w[at]) : 0;
        }
#pragma unroll 1
        for (int i = threadIdx.x; i < count * columns; i += blockDim.x)
            v[i / columns][i % columns] = i % columns < width ? p.v[(first + (long long)(i / columns) * p.heads) * p.valueDim + firstColumn + i % columns] : 0;
        __syncthreads();
#pragma unroll 1
        for (int row = 0; row < count; ++row) {
            const float value = v[row][group];
            float sum = 0;
#pragma unroll
            for (int i = 0; i < perLane; ++i) {
                const int f = i * lanesPerColumn + part;
                if (f >= p.keyDim) // there 0 times an infinity would be a NaN
                    continue;
                const float key = k[row][f];
                sum += r[row][f] * (state[i] + bonus[f] * key * value);
                state[i] = decay[row][f] * state[i] + key * value;
            }
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            if (part == 0)
                out[row][group] = sum;
        }
        __syncthreads();
#pragma unroll 1
        for (int i = threadIdx.x; i < count * columns; i += blockDim.x)
            if (i % columns < width)
                p.o[(first + (long long)(i / columns) * p.heads) * p.valueDim + firstColumn + i % columns] = out[i / columns][i % columns];
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < perLane; ++i) {
        const int f = i * lanesPerColumn + part;
        if (f < p.keyDim && group < width)
            p.last[((long long)blockIdx.y * p.keyDim + f) * p.valueDim + firstColumn + group] = state[i];
    }
}

} // namespace

/// `lambda`: λ's parts and γ of each channel, and a number that nobody looks at. Grid: (tiles of 128 channels, batch).
extern "C" __global__ void __launch_bounds__(128) lru_recurrent(const float2* u, const float4* lambda, float2* states, int length, int channels) {
    const int channel = blockIdx.x * blockDim.x + threadIdx.x;
    if (channel >= channels)
        return;
    const float4 l = lambda[channel];
    long long at = (long long)blockIdx.y * length * channels + channel;
    float2 x = make_float2(0, 0);
#pragma unroll 4
    for (int step = 0; step < length; ++step, at += channels) {
        const float2 in = u[at];
        x = make_float2(l.x * x.x - l.y * x.y + l.z * in.x, l.y * x.x + l.x * x.y + l.z * in.y);
        states[at] = x;
    }
}

/// k, v and o [batch, length, channels], w and u [channels]. Grid: (tiles of 128 channels, batch).
extern "C" __global__ void __launch_bounds__(128) rwkv4_recurrent(const float* k, const float* v, const float* w, const float* u, float* o, int length, int channels) {
    const int channel = blockIdx.x * blockDim.x + threadIdx.x;
    if (channel >= channels)
        return;
    const float decay = w[channel], bonus = u[channel];
    long long at = (long long)blockIdx.y * length * channels + channel;
    float p = 0, q = 0, largest = firstExponent;
#pragma unroll 4
    for (int step = 0; step < length; ++step, at += channels) {
        const float key = k[at], value = v[at];
        float before, own;
        sharesOf(largest, bonus + key, before, own);
        o[at] = (before * p + own * value) / (before * q + own);
        const float faded = largest + decay;
        sharesOf(faded, key, before, own);
        p = before * p + own * value;
        q = before * q + own;
        largest = faded >= key ? faded : key;
    }
}

// Kernels for up to D numbers of a key. Grid: (tiles of 32 columns, batch · heads); 128 threads.
#define RWKV6_KERNEL(D) \
    extern "C" __global__ void __launch_bounds__(128, 2) rwkv6_recurrent_d##D(Rwkv6Problem p) { rwkv6<D>(p); }
RWKV6_KERNEL(32)
RWKV6_KERNEL(64)
RWKV6_KERNEL(128)
