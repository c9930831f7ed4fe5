// S4: x = A x + B u, y = C x, each channel by itself, with a diagonal A or with that of LegS.
//
//   s4_recurrent_1, _2, _4   x = a x + w u, y = sum of Re x: a warp a channel, whose lanes hold 1, 2 or 4 complex states
//                   each in registers and go through the steps together. What the states add to y in 32 steps meets in
//                   shared memory, so that a step needs no sum across lanes. Without a signal it is an impulse that goes
//                   in: y is the convolution kernel.
//   s4_legs_1, _2, _4, _8   the same of LegS by the bilinear rule, in O(n) a step: v_n = √(2n+1) x_n. Both sums along the
//                   state that its forward substitution needs are scans over the warp, of which the second is a linear
//                   recurrence whose factors are the same at each step.
//   s4_direct       y[i] = sum over j <= i of k[j] u[i - j], a block for 512 numbers of a channel: pieces of 128 numbers of
//                   the kernel and of what they meet lie in shared memory.
//   s4_pad, s4_spectra, s4_crop   around transforms by a library: rows between zeros, products of spectra, and back.

namespace {

constexpr int warps = 4;
constexpr int threads = 128; // of s4_direct: the numbers of k in a piece
constexpr int perThread = 4;
constexpr int outputs = threads * perThread;
constexpr unsigned all = 0xffffffff;

/// Complex states of a lane: a and w, real and imaginary part each.
template <int perLane>
struct Diagonal {
    float4 f[perLane];
    float re[perLane], im[perLane];

    __device__ Diagonal(const float4* factors, int states, int lane) {
        for (int i = 0; i < perLane; ++i) {
            const int state = i * 32 + lane;
            f[i] = state < states ? factors[state] : make_float4(0, 0, 0, 0);
            re[i] = im[i] = 0;
        }
    }
    /// What this lane's states add to y.
    __device__ float step(float in, int) {
        float sum = 0;
        for (int i = 0; i < perLane; ++i) {
            const float next = f[i].x * re[i] + (f[i].z * in - f[i].y * im[i]);
            im[i] = f[i].x * im[i] + (f[i].y * re[i] + f[i].w * in);
            re[i] = next;
            sum += next;
        }
        return sum;
    }
};

/// Neighbouring states v of LegS: with t = Σ_(k <= n) v_k - 2u, v_n becomes p v_n - q t - q s and s = Σ_(k < n) of the new
/// v follows s = g s + p v_n - q t. A state's four numbers are p, q, g and what it adds to y.
template <int perLane>
struct Legs {
    float4 f[perLane];
    float v[perLane];
    float reach[5]; // what s of a lane is multiplied by on its way over 1, 2, 4, 8 and 16 lanes; 0 where it begins

    __device__ Legs(const float4* factors, int states, int lane) {
        float decay = 1;
        for (int i = 0; i < perLane; ++i) {
            const int state = lane * perLane + i;
            f[i] = state < states ? factors[state] : make_float4(0, 0, 0, 0);
            v[i] = 0;
            decay *= f[i].z;
        }
        for (int level = 0; level < 5; ++level) {
            const float left = __shfl_up_sync(all, decay, 1 << level);
            reach[level] = lane >= 1 << level ? decay : 0;
            decay *= left;
        }
    }
    __device__ float step(float in, int lane) {
        float before = 0, part[perLane], ofLane = 0, out = 0;
        for (int i = 0; i < perLane; ++i)
            before += v[i];
        for (int d = 1; d < 32; d *= 2) {
            const float left = __shfl_up_sync(all, before, d);
            before += lane >= d ? left : 0;
        }
        before = __shfl_up_sync(all, before, 1);
        float t = (lane > 0 ? before : 0) - 2 * in;
        for (int i = 0; i < perLane; ++i) {
            t += v[i];
            part[i] = f[i].x * v[i] - f[i].y * t;
            ofLane = f[i].z * ofLane + part[i];
        }
        for (int level = 0; level < 5; ++level)
            ofLane += reach[level] * __shfl_up_sync(all, ofLane, 1 << level);
        float s = __shfl_up_sync(all, ofLane, 1);
        s = lane > 0 ? s : 0;
        for (int i = 0; i < perLane; ++i) {
            v[i] = part[i] - f[i].y * s;
            s = f[i].z * s + part[i];
            out += f[i].w * v[i];
        }
        return out;
    }
};

template <class States>
__device__ void recurrent(const float4* factors, const float* u, float* y, int channels, int length, int states) {
    __shared__ float parts[warps][32 * 33]; // a column more than lanes: no two lanes on one bank
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, channel = blockIdx.x * warps + warp;
    if (channel >= channels)
        return;
    States x(factors + (long long)channel * states, states, lane);
    const long long row = (long long)channel * length;
    for (int begin = 0; begin < length; begin += 32) {
        const bool isThere = begin + lane < length;
        const float mine = !u ? begin + lane == 0 : isThere ? u[row + begin + lane] : 0;
        for (int t = 0; t < 32; ++t)
            parts[warp][t * 33 + lane] = x.step(__shfl_sync(all, mine, t), lane);
        __syncwarp();
        float out = 0;
        for (int l = 0; l < 32; ++l)
            out += parts[warp][lane * 33 + l];
        if (isThere)
            y[row + begin + lane] = out;
        __syncwarp();
    }
}

} // namespace

#define RECURRENT(name, States)                                                                                           \
    extern "C" __global__ void name(const float4* factors, const float* u, float* y, int channels, int length,            \
                                    int states) {                                                                         \
        recurrent<States>(factors, u, y, channels, length, states);                                                       \
    }
RECURRENT(s4_recurrent_1, Diagonal<1>)
RECURRENT(s4_recurrent_2, Diagonal<2>)
RECURRENT(s4_recurrent_4, Diagonal<4>)
RECURRENT(s4_legs_1, Legs<1>)
RECURRENT(s4_legs_2, Legs<2>)
RECURRENT(s4_legs_4, Legs<4>)
RECURRENT(s4_legs_8, Legs<8>)

extern "C" __global__ void s4_direct(const float* k, const float* u, float* y, int length) {
    __shared__ float kernel[threads], signal[outputs + threads];
    const long long row = (long long)blockIdx.y * length;
    const int first = blockIdx.x * outputs;
    float sum[perThread] = {};
    for (int piece = 0; piece < length && piece < first + outputs; piece += threads) {
        __syncthreads();
        kernel[threadIdx.x] = piece + threadIdx.x < length ? k[row + piece + threadIdx.x] : 0;
        const int from = first - piece - (threads - 1); // of u, at signal[0]
        for (int i = threadIdx.x; i < outputs + threads - 1; i += threads)
            signal[i] = from + i >= 0 && from + i < length ? u[row + from + i] : 0;
        __syncthreads();
        for (int j = 0; j < threads; ++j)
            for (int r = 0; r < perThread; ++r)
                sum[r] += kernel[j] * signal[r * threads + threadIdx.x + (threads - 1) - j];
    }
    for (int r = 0; r < perThread; ++r) {
        const int i = first + r * threads + threadIdx.x;
        if (i < length)
            y[row + i] = sum[r];
    }
}

extern "C" __global__ void s4_pad(const float* from, float* to, int length, int padded) {
    const long long row = blockIdx.y;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < padded)
        to[row * padded + i] = i < length ? from[row * length + i] : 0;
}

extern "C" __global__ void s4_spectra(const float2* k, float2* u, int count, float scale) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    const long long at = (long long)blockIdx.y * count + i;
    const float2 x = k[at], y = u[at];
    u[at] = make_float2(scale * (x.x * y.x - x.y * y.y), scale * (x.x * y.y + x.y * y.x));
}

extern "C" __global__ void s4_crop(const float* from, float* to, int length, int padded) {
    const long long row = blockIdx.y;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < length)
        to[row * length + i] = from[row * padded + i];
}
