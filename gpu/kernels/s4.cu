// S4 with a diagonal A: x = a x + w u, y = sum of Re x, each channel by itself.
//
//   s4_recurrent_1, _2, _4   a warp a channel: its lanes hold 1, 2 or 4 complex states each in registers and go through the
//                   steps together. What the states add to y in 32 steps meets in shared memory, so that a step needs no
//                   sum across lanes. Without a signal it is an impulse that goes in: y is the convolution kernel.
//   s4_direct       y[i] = sum over j <= i of k[j] u[i - j], a block for 512 numbers of a channel: pieces of 128 numbers of
//                   the kernel and of what they meet lie in shared memory.

namespace {

constexpr int warps = 4;
constexpr int threads = 128; // of s4_direct: the numbers of k in a piece
constexpr int perThread = 4;
constexpr int outputs = threads * perThread;

template <int perLane>
__device__ void recurrent(const float4* factors, const float* u, float* y, int channels, int length, int states) {
    __shared__ float parts[warps][32 * 33]; // a column more than lanes: no two lanes on one bank
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, channel = blockIdx.x * warps + warp;
    if (channel >= channels)
        return;
    float4 f[perLane];
    float re[perLane], im[perLane];
    for (int i = 0; i < perLane; ++i) {
        const int state = i * 32 + lane;
        f[i] = state < states ? factors[(long long)channel * states + state] : make_float4(0, 0, 0, 0);
        re[i] = im[i] = 0;
    }
    const long long row = (long long)channel * length;
    for (int begin = 0; begin < length; begin += 32) {
        const bool isThere = begin + lane < length;
        const float mine = !u ? begin + lane == 0 : isThere ? u[row + begin + lane] : 0;
        for (int t = 0; t < 32; ++t) {
            const float in = __shfl_sync(0xffffffff, mine, t);
            float sum = 0;
            for (int i = 0; i < perLane; ++i) {
                const float next = f[i].x * re[i] + (f[i].z * in - f[i].y * im[i]);
                im[i] = f[i].x * im[i] + (f[i].y * re[i] + f[i].w * in);
                re[i] = next;
                sum += next;
            }
            parts[warp][t * 33 + lane] = sum;
        }
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

extern "C" __global__ void s4_recurrent_1(const float4* factors, const float* u, float* y, int channels, int length,
                                          int states) {
    recurrent<1>(factors, u, y, channels, length, states);
}
extern "C" __global__ void s4_recurrent_2(const float4* factors, const float* u, float* y, int channels, int length,
                                          int states) {
    recurrent<2>(factors, u, y, channels, length, states);
}
extern "C" __global__ void s4_recurrent_4(const float4* factors, const float* u, float* y, int channels, int length,
                                          int states) {
    recurrent<4>(factors, u, y, channels, length, states);
}

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
