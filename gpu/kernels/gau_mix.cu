// What mixes tokens in a gated attention unit (gau.cuh): U ← U ∘ A V for 32 tokens and 256 columns of V a block. A tile of
// scores becomes weights in the lanes that made them and is used up before the next. One kernel for each of what makes a
// weight of a score. Across chunks a block reads the state before its chunk or, where there are no states, goes through the
// pairs.
//
// What lies behind a causal mask touches no row: its weight is not multiplied, since 0 · NaN would be NaN.
#include "attention.cuh"
#include "gau.cuh"
#include "product_tile.cuh"

namespace {

enum class Function { Relu2, Relu2Root, Softmax, Laplace };

constexpr int warps = 8, rowsOfWarp = 4, mixRows = 32, mixKeys = 64, mixColumns = 256, depth = 32, stride = depth + 4, valueRows = 16;

/// A tile of scores' queries and keys, and later values; and the weights of each warp's four rows, by keys.
struct MixShared {
    __align__(16) float stage[valueRows * mixColumns];
    float4 weight[warps][mixKeys];
};
static_assert((mixRows + mixKeys) * stride <= valueRows * mixColumns, "queries and keys lie where values will");

/// Where a block works: rows first … end - 1 of a segment that begins at `begin`, of one sequence; columns from `column` on.
struct MixPlace {
    int begin, segmentEnd, first, end, column, warp, lane;
    long long token; ///< the sequence's first, of all
};

/// Scores of this warp's four rows (view `query`) with keys key … key + count - 1 (view `view`): lane and lane + 32 of them.
__device__ void mixScores(const GauMixing& p, const MixPlace& at, MixShared& shared, int query, int view, int key, int count, float (&s)[rowsOfWarp][2]) {
    const long long rows = (long long)p.batch * p.length;
    const float *q = p.views + (query * rows + at.token + at.first) * p.shared, *k = p.views + (view * rows + at.token + key) * p.shared;
    float *qs = shared.stage, *ks = shared.stage + mixRows * stride;
#pragma unroll
    for (int r = 0; r < rowsOfWarp; ++r)
        s[r][0] = s[r][1] = 0;
    for (int f = 0; f < p.shared; f += depth) {
        __syncthreads();
        // A lane a feature, a warp every eighth row.
        const bool inside = f + at.lane < p.shared;
#pragma unroll 2
        for (int row = at.warp; row < mixRows; row += warps)
            qs[row * stride + at.lane] = inside && at.first + row < at.end ? q[(long long)row * p.shared + f + at.lane] : 0;
#pragma unroll 2
        for (int row = at.warp; row < mixKeys; row += warps)
            ks[row * stride + at.lane] = inside && row < count ? k[(long long)row * p.shared + f + at.lane] : 0;
        __syncthreads();
#pragma unroll 2
        for (int c = 0; c < depth; c += 4) {
            const float4 low = *reinterpret_cast<const float4*>(ks + at.lane * stride + c), high = *reinterpret_cast<const float4*>(ks + (at.lane + 32) * stride + c);
#pragma unroll
            for (int r = 0; r < rowsOfWarp; ++r) {
                const float4 x = *reinterpret_cast<const float4*>(qs + (at.warp * rowsOfWarp + r) * stride + c);
                s[r][0] += x.x * low.x + x.y * low.y + x.z * low.z + x.w * low.w;
                s[r][1] += x.x * high.x + x.y * high.y + x.z * high.z + x.w * high.w;
            }
        }
    }
}

__device__ __forceinline__ void addRow(float (&sum)[8], float weight, const float4& a, const float4& b) {
    sum[0] += weight * a.x;
    sum[1] += weight * a.y;
    sum[2] += weight * a.z;
    sum[3] += weight * a.w;
    sum[4] += weight * b.x;
    sum[5] += weight * b.y;
    sum[6] += weight * b.z;
    sum[7] += weight * b.w;
}

/// m += weights · `count` rows of 256 columns. Row r of this warp sees the first seen + r of them, or all where that is more.
__device__ void mixValues(const GauMixing& p, const MixPlace& at, MixShared& shared, const float* from, int count, int seen, float (&m)[rowsOfWarp][8]) {
    const float4* weight = shared.weight[at.warp];
    const bool wide = at.column + mixColumns / 2 < p.expanded;
    for (int begin = 0; begin < count; begin += valueRows) {
        const int left = count - begin < valueRows ? count - begin : valueRows;
        __syncthreads();
        const float* own = from + (long long)begin * p.expanded + at.column + threadIdx.x; // a thread a column
#pragma unroll 8
        for (int row = 0; row < valueRows; ++row, own += p.expanded)
            shared.stage[row * mixColumns + threadIdx.x] = row < left && at.column + (int)threadIdx.x < p.expanded ? *own : 0;
        __syncthreads();
        const int byAll = seen - begin < left ? seen - begin : left;
#pragma unroll 2
        for (int j = 0; j < left; ++j) {
            const float4 w = weight[begin + j], a = *reinterpret_cast<const float4*>(shared.stage + j * mixColumns + at.lane * 4);
            float4 b = {0, 0, 0, 0};
            if (wide)
                b = *reinterpret_cast<const float4*>(shared.stage + j * mixColumns + mixColumns / 2 + at.lane * 4);
            if (j < byAll)
                addRow(m[0], w.x, a, b);
            if (j < byAll + 1)
                addRow(m[1], w.y, a, b);
            if (j < byAll + 2)
                addRow(m[2], w.z, a, b);
            if (j < byAll + 3)
                addRow(m[3], w.w, a, b);
        }
    }
}

/// The linear part: (1 / tokens) q Σ kᵀ v over the first `tokens` of the sequence, from a state or from pairs.
__device__ void addLinear(const GauMixing& p, const MixPlace& at, MixShared& shared, int tokens, float (&m)[rowsOfWarp][8]) {
    const float scale = 1 / (float)tokens;
    if (!p.states) {
        for (int key = 0; key < tokens; key += mixKeys) {
            const int count = tokens - key < mixKeys ? tokens - key : mixKeys;
            float s[rowsOfWarp][2];
            mixScores(p, at, shared, 1, 3, key, count, s);
#pragma unroll
            for (int half = 0; half < 2; ++half)
                shared.weight[at.warp][at.lane + 32 * half] = {s[0][half] * scale, s[1][half] * scale, s[2][half] * scale, s[3][half] * scale};
            mixValues(p, at, shared, p.v + (at.token + key) * p.expanded, count, count, m);
        }
        return;
    }
    const int chunks = (p.length + p.chunk - 1) / p.chunk, index = p.causal ? at.begin / p.chunk - 1 : 0;
    const long long sequence = at.token / p.length;
    const float* state = p.states + (sequence * (p.causal ? chunks - 1 : chunks) + index) * p.shared * p.expanded;
    const float* q = p.views + ((long long)p.batch * p.length + at.token + at.first) * p.shared;
    for (int f = 0; f < p.shared; f += mixKeys) {
        const int count = p.shared - f < mixKeys ? p.shared - f : mixKeys;
        __syncwarp(); // its lanes have read the weights before
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int c = at.lane + 32 * half;
            float x[rowsOfWarp];
#pragma unroll
            for (int r = 0; r < rowsOfWarp; ++r) {
                const int row = at.warp * rowsOfWarp + r;
                x[r] = c < count && at.first + row < at.end ? q[(long long)row * p.shared + f + c] * scale : 0;
            }
            shared.weight[at.warp][c] = {x[0], x[1], x[2], x[3]};
        }
        mixValues(p, at, shared, state + (long long)f * p.expanded, count, count, m);
    }
}

template <Function function>
__device__ __forceinline__ float weightOf(float x) { // a NaN stays one
    if (function == Function::Laplace)
        return 0.5f * erfcf(2.50662827f * (0.707106781f - x)); // √(2π) = 1 / (σ √2), and √½
    return x < 0 ? 0 : x * x;
}

/// Grid (segments · tiles of their rows, tiles of 256 columns, batch).
template <Function function>
__device__ void mix(const GauMixing& p) {
    __shared__ MixShared shared;
    const int segment = p.chunk > 0 ? p.chunk : p.length, tiles = (segment + mixRows - 1) / mixRows;
    MixPlace at;
    at.begin = blockIdx.x / tiles * segment;
    at.segmentEnd = p.length - at.begin < segment ? p.length : at.begin + segment;
    at.first = at.begin + blockIdx.x % tiles * mixRows;
    at.end = at.segmentEnd - at.first < mixRows ? at.segmentEnd : at.first + mixRows;
    at.column = blockIdx.y * mixColumns;
    at.warp = threadIdx.x / 32;
    at.lane = threadIdx.x % 32;
    at.token = (long long)blockIdx.z * p.length;
    if (at.first >= at.end) // the last chunk may be shorter
        return;
    const int row = at.first + at.warp * rowsOfWarp, keys = p.causal ? at.end : at.segmentEnd;
    float m[rowsOfWarp][8] = {}, most[rowsOfWarp], sum[rowsOfWarp] = {}, scale[rowsOfWarp];
#pragma unroll
    for (int r = 0; r < rowsOfWarp; ++r) {
        const float counted = p.causal && p.seenKeys ? row + r - at.begin + 1 : segment;
        most[r] = -CUDART_INF_F;
        scale[r] = function == Function::Softmax ? log2e / sqrtf((float)p.shared) : function == Function::Relu2Root ? 1 / sqrtf(counted * p.shared) : 1 / counted;
    }
    for (int key = at.begin; key < keys; key += mixKeys) {
        const int count = keys - key < mixKeys ? keys - key : mixKeys, seen = p.causal ? row + 1 - key : count; // by the warp's first row
        float s[rowsOfWarp][2];
        mixScores(p, at, shared, 0, p.chunk > 0 ? 2 : 1, key, count, s);
#pragma unroll
        for (int r = 0; r < rowsOfWarp; ++r) {
            if (function != Function::Softmax) {
                s[r][0] = weightOf<function>(s[r][0] * scale[r]);
                s[r][1] = weightOf<function>(s[r][1] * scale[r]);
                continue;
            }
            const int visible = seen + r < count ? seen + r : count;
            s[r][0] = at.lane < visible ? s[r][0] * scale[r] : -CUDART_INF_F;
            s[r][1] = at.lane + 32 < visible ? s[r][1] * scale[r] : -CUDART_INF_F;
            const float next = fmaxf(most[r], groupMax<32>(fmaxf(s[r][0], s[r][1]))), base = baseOf(next), rescale = fastExp2(most[r] - base);
            most[r] = next;
            s[r][0] = fastExp2(s[r][0] - base);
            s[r][1] = fastExp2(s[r][1] - base);
            sum[r] = sum[r] * rescale + s[r][0] + s[r][1];
#pragma unroll
            for (int c = 0; c < 8; ++c)
                m[r][c] *= rescale;
        }
#pragma unroll
        for (int half = 0; half < 2; ++half)
            shared.weight[at.warp][at.lane + 32 * half] = {s[0][half], s[1][half], s[2][half], s[3][half]};
        mixValues(p, at, shared, p.v + (at.token + key) * p.expanded, count, seen, m);
    }
#pragma unroll
    for (int r = 0; r < rowsOfWarp; ++r)
        if (function == Function::Softmax) {
            const float by = 1 / groupSum<32>(sum[r]);
#pragma unroll
            for (int c = 0; c < 8; ++c)
                m[r][c] *= by;
        }
    if (const int before = p.causal ? at.begin : p.length; p.chunk > 0 && before > 0)
        addLinear(p, at, shared, before, m);
#pragma unroll
    for (int r = 0; r < rowsOfWarp; ++r)
        if (row + r < at.end) {
            float* out = p.u + (at.token + row + r) * p.expanded;
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int column = at.column + half * (mixColumns / 2) + at.lane * 4;
                storeFour(out, column, p.expanded, [&](int c) { return out[column + c] * m[r][4 * half + c]; });
            }
        }
}

} // namespace

#define MIX_KERNEL(name, function)                                                            \
    extern "C" __global__ void __launch_bounds__(256, 2) gau_mix_##name(GauMixing p) {        \
        mix<Function::function>(p);                                                           \
    }
MIX_KERNEL(relu2, Relu2)
MIX_KERNEL(relu2_su, Relu2Root)
MIX_KERNEL(softmax, Softmax)
MIX_KERNEL(laplace, Laplace)
