// The rules delta and gated-delta by chunks, in f32. A step adds k_t u_tᵀ to the decayed state, u_t = b_t (v_t - decayed Sᵀ k_t)
// with all steps before it in S. Of 32 steps (16 where chunks are as short) that begin with S, these are the rows of U in
//   (I + L) U = diag(b) (V - diag(decays) K S),   L_ij = b_i · decay from j to i · k_iᵀ k_j below the diagonal,
// solved row by row (Yang et al. 2024, "Parallelizing linear transformers with the delta rule"). U and the states that chunks
// begin with are written down; with them linear_outputs of linear_attention_chunked.cu answers the queries as for add and
// retention.
#include "linear_attention.cuh"

namespace {

constexpr int threads = 128, columns = 32, mostSteps = 32, F = 32, lanesPerColumn = 4;

extern __shared__ float dynamicShared[];

/// A block has 32 columns of a head's state, the last column of all being that for values of 1 where `ones` is given: its
/// numbers of U go there, [heads, keyLen], the others' to `added` [heads, keyLen, valueDim]. `states`, `sums` and `chunk` as
/// linear_states has them. Dynamic shared memory: 33 numbers a feature, features in whole tiles of 32.
template <Rule rule>
__device__ void writeStates(const LinearProblem<float>& p, float* added, float* ones, float* states, float* sums, int chunk) {
    float(*s)[columns + 1] = reinterpret_cast<float(*)[columns + 1]>(dynamicShared);
    __shared__ float k[mostSteps][F + 1], l[mostSteps][mostSteps + 1], u[mostSteps][columns + 1];
    __shared__ float gate[mostSteps], strength[mostSteps], upTo[mostSteps], behind[mostSteps];
    const int head = blockIdx.y, firstColumn = blockIdx.x * columns, chunks = (p.keyLen + chunk - 1) / chunk, steps = chunk < mostSteps ? chunk : mostSteps;
    const int row = threadIdx.x / 32 * 8, lane = threadIdx.x % 32; // this thread's eight rows and its column
    const int column = firstColumn + lane;
    const bool isValue = column < p.valueDim, isOne = ones && column == p.valueDim;
    const float* kHead = p.k + (long long)head * p.keyLen * p.headDim;
    const long long firstStep = (long long)head * p.keyLen;

    const auto loadKeys = [&](int begin, int count, int f0) {
        for (int i = threadIdx.x; i < mostSteps * F; i += threads) {
            const int step = i / F, f = f0 + i % F;
            k[step][i % F] = step < count && f < p.features ? mapped(p.map, p.root * kHead[(long long)(begin + step) * p.headDim + f]) : 0;
        }
    };
    const auto write = [&](float* state, float* sum) {
        for (int f = threadIdx.x / 32; f < p.features; f += threads / 32)
            if (isValue && state)
                state[(long long)f * p.valueDim + column] = s[f][lane];
            else if (isOne && sum)
                sum[f] = s[f][lane];
    };
    for (int f = threadIdx.x / 32; f < (p.features + F - 1) / F * F; f += threads / 32)
        s[f][lane] = 0;
    for (int begin = 0; begin < p.keyLen; begin += steps) {
        const int count = p.keyLen - begin < steps ? p.keyLen - begin : steps;
        __syncthreads();
        if (begin > 0 && begin % chunk == 0) {
            const long long at = (long long)head * (chunks - 1) + begin / chunk - 1;
            write(states + at * p.features * p.valueDim, sums ? sums + at * p.features : nullptr);
        }
        if (threadIdx.x < mostSteps) {
            gate[threadIdx.x] = decaysByStep<rule> && threadIdx.x < count ? p.decay[firstStep + begin + threadIdx.x] : 1;
            strength[threadIdx.x] = threadIdx.x < count ? p.beta[firstStep + begin + threadIdx.x] : 0;
        }
        float products[8] = {}, held[8] = {}; // K Kᵀ and K S
        for (int f0 = 0; f0 < p.features; f0 += F) {
            __syncthreads();
            loadKeys(begin, count, f0);
            __syncthreads();
#pragma unroll 4
            for (int f = 0; f < F; ++f) {
                const float other = k[lane][f], state = s[f0 + f][lane];
#pragma unroll
                for (int r = 0; r < 8; ++r) {
                    products[r] += k[row + r][f] * other;
                    held[r] += k[row + r][f] * state;
                }
            }
        }
#pragma unroll
        for (int r = 0; r < 8; ++r)
            l[row + r][lane] = strength[row + r] * products[r];
        if (threadIdx.x < mostSteps) {
            float product = 1;
            for (int i = 0; i <= threadIdx.x; ++i)
                product *= gate[i];
            upTo[threadIdx.x] = product;
            product = 1;
            for (int i = threadIdx.x + 1; i < mostSteps; ++i)
                product *= gate[i];
            behind[threadIdx.x] = product;
        }
        __syncthreads();
        if (decaysByStep<rule> && threadIdx.x < mostSteps) { // down this key's column
            float product = 1;
            for (int i = threadIdx.x + 1; i < mostSteps; ++i) {
                product *= gate[i];
                l[i][threadIdx.x] *= product;
            }
        }
#pragma unroll
        for (int r = 0; r < 8; ++r) {
            const int step = row + r;
            const float value = step >= count ? 0 : isValue ? p.v[(firstStep + begin + step) * p.valueDim + column] : isOne ? 1 : 0;
            u[step][lane] = step < count ? strength[step] * (value - upTo[step] * held[r]) : 0;
        }
        __syncthreads();
        {
            const int own = threadIdx.x / lanesPerColumn, part = threadIdx.x % lanesPerColumn; // eight columns a warp, each its own
            for (int i = 1; i < count; ++i) {
                float sum = 0;
                for (int j = part; j < i; j += lanesPerColumn)
                    sum += l[i][j] * u[j][own];
                sum += __shfl_xor_sync(0xffffffffu, sum, 1);
                sum += __shfl_xor_sync(0xffffffffu, sum, 2);
                if (part == 0)
                    u[i][own] -= sum;
                __syncwarp();
            }
        }
        __syncthreads();
        for (int step = threadIdx.x / 32; step < count; step += threads / 32) {
            if (isValue)
                added[(firstStep + begin + step) * p.valueDim + column] = u[step][lane];
            else if (isOne)
                ones[firstStep + begin + step] = u[step][lane];
        }
        for (int f0 = 0; f0 < p.features; f0 += F) {
            __syncthreads();
            if (p.features > F)
                loadKeys(begin, count, f0);
            __syncthreads();
            float sum[8];
#pragma unroll
            for (int r = 0; r < 8; ++r)
                sum[r] = upTo[mostSteps - 1] * s[f0 + row + r][lane];
            for (int step = 0; step < count; ++step) {
                const float value = behind[step] * u[step][lane];
#pragma unroll
                for (int r = 0; r < 8; ++r)
                    sum[r] += k[step][row + r] * value;
            }
#pragma unroll
            for (int r = 0; r < 8; ++r)
                if (f0 + row + r < p.features) // behind the last feature 0 times an infinity would be a NaN
                    s[f0 + row + r][lane] = sum[r];
        }
    }
    __syncthreads();
    write(p.state ? p.state + (long long)head * p.features * p.valueDim : nullptr, p.z ? p.z + (long long)head * p.features : nullptr);
}

} // namespace

// Grid: (tiles of 32 columns, with the one for values of 1, heads).
#define DELTA_KERNEL(name, rule)                                                                                                              \
    extern "C" __global__ void __launch_bounds__(threads, 3)                                                                                  \
        linear_states_##name(LinearProblem<float> p, float* added, float* ones, float* states, float* sums, int chunk) {                      \
        writeStates<Rule::rule>(p, added, ones, states, sums, chunk);                                                                         \
    }
DELTA_KERNEL(delta, Delta)
DELTA_KERNEL(gated_delta, GatedDelta)
