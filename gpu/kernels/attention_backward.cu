// The backward pass of attention in f32. Given dO: dV = Pᵀ dO, dP = dO Vᵀ, dS = P ∘ (dP - D), D = rowsum(dO ∘ O),
// dQ = scale · dS K, dK = scale · dSᵀ Q. (Dao et al. 2022, appendix B.)
//
//   standard-bwd  P and dS whole in memory, one thread an element.
//   flash2-bwd    P is computed again from Q, K and the log-sum-exp; a block holds a tile of keys and walks over the
//                 tiles of queries. dK and dV stay with the block, dQ adds up in memory by atomics.
#include "attention.cuh"

namespace {

/// The problem and its gradients; dq, dk, dv like q, k, v. With grouped queries, several query heads add to one key head.
struct Gradients {
    const float* dOut;
    const float* d; // [batch, queryHeads, queryLen]
    float* dq;
    float* dk;
    float* dv;
};

} // namespace

/// D = rowsum(dO ∘ O): one warp a row.
extern "C" __global__ void backward_rows(AttentionProblem<float> p, const float* dOut, float* d, int rows) {
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows)
        return;
    float sum = 0;
    for (int c = lane; c < p.headDim; c += 32)
        sum += dOut[(long long)row * p.headDim + c] * p.o[(long long)row * p.headDim + c];
    sum = groupSum<32>(sum);
    if (lane == 0)
        d[row] = sum;
}

// ---- standard-bwd

/// P and dS [heads, queryLen, keyLen].
extern "C" __global__ void standard_bwd_scores(AttentionProblem<float> p, Gradients g, float* probabilities, float* ds) {
    const int key = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y, head = blockIdx.z;
    if (key >= p.keyLen || row >= p.queryLen)
        return;
    const long long at = (long long)head * p.queryLen + row;
    float weight = 0, gradient = 0;
    if (key < p.visible(row)) {
        const float* q = p.q + p.queryHead(head) + (long long)row * p.headDim;
        const float* k = p.k + p.keyHead(head) + (long long)key * p.headDim;
        const float* v = p.v + p.keyHead(head) + (long long)key * p.headDim;
        const float* dOut = g.dOut + p.queryHead(head) + (long long)row * p.headDim;
        float score = 0, dp = 0;
        for (int c = 0; c < p.headDim; ++c) {
            score += q[c] * k[c];
            dp += dOut[c] * v[c];
        }
        weight = expf(score * p.scale - baseOf(p.lse[at]));
        gradient = weight * (dp - g.d[at]);
    }
    probabilities[at * p.keyLen + key] = weight;
    ds[at * p.keyLen + key] = gradient;
}

extern "C" __global__ void standard_bwd_queries(AttentionProblem<float> p, Gradients g, const float* ds) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y, head = blockIdx.z;
    if (column >= p.headDim || row >= p.queryLen)
        return;
    const float* gradient = ds + ((long long)head * p.queryLen + row) * p.keyLen;
    const float* k = p.k + p.keyHead(head) + column;
    const int visible = p.visible(row);
    float sum = 0;
    for (int j = 0; j < visible; ++j)
        sum += gradient[j] * k[(long long)j * p.headDim];
    g.dq[p.queryHead(head) + (long long)row * p.headDim + column] = sum * p.scale;
}

/// One thread an element of dK and dV of a key head: sums over the query heads that share it.
extern "C" __global__ void standard_bwd_keys(AttentionProblem<float> p, Gradients g, const float* probabilities, const float* ds) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x, key = blockIdx.y * blockDim.y + threadIdx.y;
    const int group = p.queryHeads / p.keyHeads, batch = blockIdx.z / p.keyHeads, keyHead = blockIdx.z % p.keyHeads;
    if (column >= p.headDim || key >= p.keyLen)
        return;
    float dk = 0, dv = 0;
    for (int h = 0; h < group; ++h) {
        const int head = batch * p.queryHeads + keyHead * group + h;
        const float *q = p.q + p.queryHead(head) + column, *dOut = g.dOut + p.queryHead(head) + column;
        for (int row = p.firstSeeing(key); row < p.queryLen; ++row) {
            const long long at = ((long long)head * p.queryLen + row) * p.keyLen + key;
            dk += ds[at] * q[(long long)row * p.headDim];
            dv += probabilities[at] * dOut[(long long)row * p.headDim];
        }
    }
    const long long to = ((long long)blockIdx.z * p.keyLen + key) * p.headDim + column;
    g.dk[to] = dk * p.scale;
    g.dv[to] = dv;
}

// ---- flash2-bwd

namespace {

constexpr int tile = 32, threads = 128, part = 4; // four threads a row, as in attention_flash.cu

template <int D>
struct BackwardShared {
    float q[tile][D + 1], k[tile][D + 1], v[tile][D + 1], dOut[tile][D + 1];
    float weight[tile][tile + 1], ds[tile][tile + 1]; // [query][key]
};

template <int D>
__device__ void loadRows(float (&to)[tile][D + 1], const float* from, int first, int count, int headDim) {
#pragma unroll 2
    for (int i = threadIdx.x; i < tile * D; i += threads) {
        const int r = i / D, c = i % D;
        to[r][c] = first + r < count && c < headDim ? from[(long long)(first + r) * headDim + c] : 0;
    }
}

/// Adds a tile's share to dQ of query r and to dK and dV of key r. Where not all see all, query r sees the first `keysSeen`
/// keys of the tile, and key r is seen from query `firstSeeing` on: what is masked touches no gradient.
template <int D, bool masked>
__device__ void addGradients(const BackwardShared<D>& s, int r, int lane, int keysSeen, int firstSeeing, float (&dq)[D / part], float (&dk)[D / part], float (&dv)[D / part]) {
#pragma unroll(masked ? 1 : 4)
    for (int j = 0; j < tile; ++j) {
        const float toQuery = s.ds[r][j], toKey = s.ds[j][r], weight = s.weight[j][r];
        const bool sees = !masked || j < keysSeen, seen = !masked || j >= firstSeeing;
#pragma unroll
        for (int i = 0; i < D / part; ++i) {
            const int c = i * part + lane;
            if (sees)
                dq[i] += toQuery * s.k[j][c];
            if (seen) {
                dk[i] += toKey * s.q[j][c];
                dv[i] += weight * s.dOut[j][c];
            }
        }
    }
}

/// Block (tile of keys, head). dq, dk, dv are zero before.
template <int D>
__device__ void flash2Backward(const AttentionProblem<float>& p, const Gradients& g, BackwardShared<D>& s) {
    const int head = blockIdx.y, firstKey = blockIdx.x * tile, r = threadIdx.x / part, lane = threadIdx.x % part;
    const float *q = p.q + p.queryHead(head), *dOut = g.dOut + p.queryHead(head);
    loadRows<D>(s.k, p.k + p.keyHead(head), firstKey, p.keyLen, p.headDim);
    loadRows<D>(s.v, p.v + p.keyHead(head), firstKey, p.keyLen, p.headDim);
    float dk[D / part] = {}, dv[D / part] = {}; // of key r, every fourth column
    for (int first = 0; first < p.queryLen; first += tile) {
        const int last = first + tile < p.queryLen ? first + tile : p.queryLen;
        if (p.visible(last - 1) <= firstKey)
            continue; // the mask hides this tile of keys
        __syncthreads();
        loadRows<D>(s.q, q, first, p.queryLen, p.headDim);
        loadRows<D>(s.dOut, dOut, first, p.queryLen, p.headDim);
        __syncthreads();
        // Scores of query r against every fourth key.
        const int row = first + r, visible = row < p.queryLen ? p.visible(row) : 0;
        const float lse = row < p.queryLen ? baseOf(p.lse[(long long)head * p.queryLen + row]) : 0, d = row < p.queryLen ? g.d[(long long)head * p.queryLen + row] : 0;
        float score[tile / part] = {}, dp[tile / part] = {};
#pragma unroll 8
        for (int c = 0; c < D; ++c)
#pragma unroll
            for (int j = 0; j < tile / part; ++j) {
                score[j] += s.q[r][c] * s.k[j * part + lane][c];
                dp[j] += s.dOut[r][c] * s.v[j * part + lane][c];
            }
#pragma unroll
        for (int j = 0; j < tile / part; ++j) {
            const int key = j * part + lane;
            const float weight = firstKey + key < visible ? fastExp2((score[j] * p.scale - lse) * log2e) : 0;
            s.weight[r][key] = weight;
            s.ds[r][key] = weight * (dp[j] - d);
        }
        __syncthreads();
        // dQ of query r, dK and dV of key r.
        float dq[D / part] = {};
        if (firstKey + tile <= p.visible(first) && first + tile <= p.queryLen)
            addGradients<D, false>(s, r, lane, tile, 0, dq, dk, dv);
        else
            addGradients<D, true>(s, r, lane, visible - firstKey, p.firstSeeing(firstKey + r) - first, dq, dk, dv);
        if (row < p.queryLen)
#pragma unroll
            for (int i = 0; i < D / part; ++i)
                if (i * part + lane < p.headDim)
                    atomicAdd(g.dq + p.queryHead(head) + (long long)row * p.headDim + i * part + lane, dq[i] * p.scale);
    }
    if (firstKey + r >= p.keyLen)
        return;
    const long long to = p.keyHead(head) + (long long)(firstKey + r) * p.headDim;
#pragma unroll
    for (int i = 0; i < D / part; ++i)
        if (i * part + lane < p.headDim) { // query heads of a group add to the same key head
            atomicAdd(g.dk + to + i * part + lane, dk[i] * p.scale);
            atomicAdd(g.dv + to + i * part + lane, dv[i]);
        }
}

extern __shared__ float dynamicShared[];

} // namespace

#define FLASH_BACKWARD(D)                                                                                              \
    extern "C" __global__ void __launch_bounds__(threads) flash2_bwd_d##D(AttentionProblem<float> p, Gradients g) {    \
        flash2Backward<D>(p, g, *reinterpret_cast<BackwardShared<D>*>(dynamicShared));                                 \
    }
FLASH_BACKWARD(32)
FLASH_BACKWARD(64)
FLASH_BACKWARD(128)
FLASH_BACKWARD(256)
