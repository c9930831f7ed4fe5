// HiPPO memories of many channels, all by the same measure and rule: c = A c + B u a step, kept after every `every` steps
// and after the last.
//
//   hippo_dense     a block for 8 channels, whose states lie in shared memory: a thread has rows of A, and each number of it
//                   serves 8 channels. `matrices` is A transposed with B below, the same at each step (stride 0) or one a step.
//   hippo_linear_1, _2, _4, _8   LegS in O(n) by forward substitution, a warp a channel: its lanes hold 1 to 8 neighbouring
//                   states each in registers. Both sums over states that a step needs are scans over the warp: a plain
//                   one over the old state, and a linear recurrence s = g s + x over the new one.

namespace {

constexpr int channelsOfBlock = 8;
constexpr int signalSteps = 32;
constexpr int warps = 4;
constexpr unsigned all = 0xffffffff;

struct Kept {
    int every, length, rows; ///< every: 0 for the last state alone
    __device__ bool has(int step) const { return step + 1 == length || (every > 0 && (step + 1) % every == 0); }
    __device__ long long row(int step) const { return step + 1 == length ? rows - 1 : (step + 1) / every - 1; }
};

template <int perLane>
__device__ void linear(const float* u, float* coefficients, int channels, Kept kept, int n, float aheadShare,
                       float behindShare) {
    const int lane = threadIdx.x % 32, channel = blockIdx.x * warps + threadIdx.x / 32, first = lane * perLane;
    if (channel >= channels)
        return;
    float c[perLane] = {}, norm[perLane];
    for (int i = 0; i < perLane; ++i)
        norm[i] = first + i < n ? sqrtf(2 * (first + i) + 1) : 0; // states behind the last one stay 0
    for (int begin = 0; begin < kept.length; begin += signalSteps) {
        const float mine = begin + lane < kept.length ? u[(long long)channel * kept.length + begin + lane] : 0;
        const int steps = min(signalSteps, kept.length - begin);
        for (int t = 0; t < steps; ++t) {
            const int step = begin + t;
            const float length = 1.0f / (step + 1), ahead = aheadShare * length, behind = behindShare * length;
            float own = 0;
            for (int i = 0; i < perLane; ++i)
                own += norm[i] * c[i];
            float before = own; // of all lanes up to this one
            for (int d = 1; d < 32; d *= 2) {
                const float left = __shfl_up_sync(all, before, d);
                before += lane >= d ? left : 0;
            }
            before = __shfl_up_sync(all, before, 1);
            // ahead Σ_(k <= n) √(2k+1) c_k - length u
            float sum = ahead * (lane > 0 ? before : 0) - length * __shfl_sync(all, mine, t);
            float decay = 1, ofLane = 0, part[perLane];
            for (int i = 0; i < perLane; ++i) {
                const float k = first + i, under = 1.0f / (1 + behind * (k + 1));
                sum += ahead * norm[i] * c[i];
                part[i] = under * ((1 + ahead * k) * c[i] - norm[i] * sum);
                const float g = under * (1 - behind * k);
                decay *= g;
                ofLane = g * ofLane + behind * norm[i] * part[i];
            }
            for (int d = 1; d < 32; d *= 2) {
                const float left = __shfl_up_sync(all, ofLane, d), leftDecay = __shfl_up_sync(all, decay, d);
                if (lane >= d) {
                    ofLane += decay * left;
                    decay *= leftDecay;
                }
            }
            float s = __shfl_up_sync(all, ofLane, 1); // behind Σ_(k < n) √(2k+1) z_k of the new state z
            s = lane > 0 ? s : 0;
            for (int i = 0; i < perLane; ++i) {
                const float k = first + i, under = 1.0f / (1 + behind * (k + 1));
                c[i] = part[i] - under * norm[i] * s;
                s = under * (1 - behind * k) * s + behind * norm[i] * part[i];
            }
            if (kept.has(step))
                for (int i = 0; i < perLane; ++i)
                    if (first + i < n)
                        coefficients[((long long)channel * kept.rows + kept.row(step)) * n + first + i] = c[i];
        }
    }
}

} // namespace

extern "C" __global__ void hippo_dense(const float* matrices, const float* u, float* coefficients, int channels, int length,
                                       int n, int every, int rows, int stride) {
    extern __shared__ float4 states[]; // twice [2, n]: four channels beside four
    __shared__ float signal[channelsOfBlock][signalSteps];
    const int first = blockIdx.x * channelsOfBlock;
    const Kept kept{every, length, rows};
    float4 *from = states, *to = states + 2 * n;
    for (int i = threadIdx.x; i < 2 * n; i += blockDim.x)
        from[i] = make_float4(0, 0, 0, 0);
    for (int step = 0; step < length; ++step) {
        if (step % signalSteps == 0) {
            __syncthreads();
            for (int i = threadIdx.x; i < channelsOfBlock * signalSteps; i += blockDim.x) {
                const int channel = first + i / signalSteps, at = step + i % signalSteps;
                signal[i / signalSteps][i % signalSteps] =
                    channel < channels && at < length ? u[(long long)channel * length + at] : 0;
            }
        }
        __syncthreads();
        const float* matrix = matrices + (long long)step * stride;
        for (int i = threadIdx.x; i < n; i += blockDim.x) {
            float sum[channelsOfBlock];
            const float b = matrix[n * n + i];
            for (int l = 0; l < channelsOfBlock; ++l)
                sum[l] = b * signal[l][step % signalSteps];
#pragma unroll 4
            for (int k = 0; k < n; ++k) {
                const float a = matrix[k * n + i];
                const float4 x = from[k], y = from[n + k];
                sum[0] += a * x.x, sum[1] += a * x.y, sum[2] += a * x.z, sum[3] += a * x.w;
                sum[4] += a * y.x, sum[5] += a * y.y, sum[6] += a * y.z, sum[7] += a * y.w;
            }
            to[i] = make_float4(sum[0], sum[1], sum[2], sum[3]);
            to[n + i] = make_float4(sum[4], sum[5], sum[6], sum[7]);
            if (kept.has(step))
                for (int l = 0; l < channelsOfBlock; ++l)
                    if (first + l < channels)
                        coefficients[((long long)(first + l) * rows + kept.row(step)) * n + i] = sum[l];
        }
        float4* const swapped = from;
        from = to;
        to = swapped;
    }
}

#define LINEAR(perLane)                                                                                                   \
    extern "C" __global__ void hippo_linear_##perLane(const float* u, float* coefficients, int channels, int length,      \
                                                      int n, int every, int rows, float ahead, float behind) {            \
        linear<perLane>(u, coefficients, channels, {every, length, rows}, n, ahead, behind);                              \
    }
LINEAR(1)
LINEAR(2)
LINEAR(4)
LINEAR(8)
