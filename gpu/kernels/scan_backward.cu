// The gradients of the linear scan h_t = a_t h_{t-1} + b_t of rows in f32. What step t hands back to the one before it,
// u_t = a_t (dh_t + u_{t+1}), is a scan from the end whose pairs are (a_t, a_t dh_t); db_t = dh_t + u_{t+1},
// da_t = db_t h_{t-1}, dh0 = u_0. Unlike the scan g_t = dh_t + a_{t+1} g_{t+1} of the same gradients it has all of a step at
// one place. Chunks are numbered from the end; between them go scan_reset and scan_carry of scan.cu.
#include "scan.cuh"

/// As gpu/ops/scan_backward.cpp has it. Rows lie `stride` numbers apart, a multiple of four.
struct BackwardRows {
    using Number = float;
    struct Steps {
        float a[4], dh[4];
        long long at;
        int group; ///< of four steps: those that there are begin with 0
    };

    const float *a, *dh, *h, *h0;
    float *da, *db, *dh0;
    long long stride;
    int channels, length;

    __device__ __forceinline__ float before(int) const { return 0; }
    __device__ __forceinline__ Steps load(int row, int chunk) const {
        Steps s;
        s.group = (length - 1) / 4 - (chunk * chunkThreads + int(threadIdx.x));
        s.at = row * stride + 4 * s.group;
        float4 wholeA{}, wholeDh{};
        if (s.group >= 0) {
            wholeA = *reinterpret_cast<const float4*>(a + s.at);
            wholeDh = *reinterpret_cast<const float4*>(dh + s.at);
        }
        unpack(wholeA, s.a);
        unpack(wholeDh, s.dh);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const bool there = s.group >= 0 && 4 * s.group + i < length;
            s.a[i] = there ? s.a[i] : 1;
            s.dh[i] = there ? s.dh[i] : 0;
        }
        return s;
    }
    __device__ __forceinline__ static Pair<float> all(const Steps& s) {
        const auto step = [&](int i) { return Pair<float>{s.a[i], s.a[i] * s.dh[i]}; };
        return combined(combined(step(3), step(2)), combined(step(1), step(0)));
    }
    /// The last step of the four before is the next lane's.
    __device__ __forceinline__ void store(int row, const Steps& s, float behind) const {
        float4 states{};
        if (s.group >= 0)
            states = *reinterpret_cast<const float4*>(h + s.at);
        float earlier = __shfl_down_sync(wholeWarp, states.w, 1);
        if (s.group < 0)
            return;
        if (s.group == 0)
            earlier = h0[row];
        else if (threadIdx.x % 32 == 31)
            earlier = h[s.at - 1];
        const float stateBefore[4] = {earlier, states.x, states.y, states.z};
        float forA[4], forB[4];
#pragma unroll
        for (int i = 3; i >= 0; --i) {
            forB[i] = s.dh[i] + behind;
            forA[i] = forB[i] * stateBefore[i];
            behind = s.a[i] * forB[i];
        }
        *reinterpret_cast<float4*>(da + s.at) = packed(forA);
        *reinterpret_cast<float4*>(db + s.at) = packed(forB);
        if (s.group == 0)
            dh0[row] = behind;
    }
};

extern "C" __global__ void __launch_bounds__(128) scan_backward_serial(BackwardRows p) {
    const int row = blockIdx.x * 128 + threadIdx.x;
    if (row >= p.channels)
        return;
    const long long at = row * p.stride;
    float behind = 0;
    for (int t = p.length - 1; t >= 0; --t) {
        const float g = p.dh[at + t] + behind;
        p.db[at + t] = g;
        p.da[at + t] = g * (t == 0 ? p.h0[row] : p.h[at + t - 1]);
        behind = p.a[at + t] * g;
    }
    p.dh0[row] = behind;
}

/// Grid channels · (chunks - 1): pairs [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_backward_pairs(BackwardRows p, Pair<float>* pairs, int chunks) { chunkPairs(p, pairs, chunks); }

/// Grid channels · chunks.
extern "C" __global__ void __launch_bounds__(256) scan_backward_states(BackwardRows p, const float* states, int chunks) {
    chunkStates(p, states, chunks);
}

/// Grid channels · chunks.
extern "C" __global__ void __launch_bounds__(256) scan_backward_look_back(BackwardRows p, LookBack<float> told, int chunks) {
    onePass(p, told, chunks);
}
