// Standard attention, S = scale · Q Kᵀ, P = softmax(S), O = P V, as three kernels with S and P whole in memory.
//
//   naive   one thread an element. Each reads a row of Q and a row of K for itself: 2·headDim loads for one element of S.
//   tiled   products by tiles in shared memory: an element of Q or K that is loaded once serves 32 results; one warp a
//           row of the softmax, lanes reading consecutive elements.
//
// Both move S and P through memory four times. That is what flash attention avoids (attention_flash.cu).
#include "attention.cuh"

namespace {
constexpr int tile = 32, rowsPerThread = 4; // 32 × 32 results by 32 × 8 threads
}

namespace {

/// 0 instead of the NaN that a row without any weight may have made of its values.
__device__ float outputOf(float sum, const AttentionProblem<float>& p, int head, int row) {
    return isnan(sum) && p.lse[(long long)head * p.queryLen + row] == -CUDART_INF_F ? 0 : sum;
}

} // namespace

// ---- naive

extern "C" __global__ void naive_scores(AttentionProblem<float> p, float* s) {
    const int key = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y, head = blockIdx.z;
    if (key >= p.keyLen || row >= p.queryLen)
        return;
    const float* q = p.q + p.queryHead(head) + (long long)row * p.headDim;
    const float* k = p.k + p.keyHead(head) + (long long)key * p.headDim;
    float score = -CUDART_INF_F;
    if (key < p.visible(row)) {
        score = 0;
        for (int c = 0; c < p.headDim; ++c)
            score += q[c] * k[c];
        score *= p.scale;
    }
    s[((long long)head * p.queryLen + row) * p.keyLen + key] = score;
}

/// One thread a row: three passes over S, neighbouring threads a whole row apart.
extern "C" __global__ void naive_softmax(AttentionProblem<float> p, const float* s, float* probabilities) {
    const int row = blockIdx.x * blockDim.x + threadIdx.x, head = blockIdx.y;
    if (row >= p.queryLen)
        return;
    const long long begin = ((long long)head * p.queryLen + row) * p.keyLen;
    float most = -CUDART_INF_F;
    for (int j = 0; j < p.keyLen; ++j)
        most = fmaxf(most, s[begin + j]);
    const float base = baseOf(most);
    float sum = 0;
    for (int j = 0; j < p.keyLen; ++j)
        sum += expf(s[begin + j] - base);
    const float inverse = sum == 0 ? 0 : 1 / sum;
    for (int j = 0; j < p.keyLen; ++j)
        probabilities[begin + j] = expf(s[begin + j] - base) * inverse;
    p.lse[(long long)head * p.queryLen + row] = base + logf(sum);
}

extern "C" __global__ void naive_output(AttentionProblem<float> p, const float* probabilities) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y, head = blockIdx.z;
    if (column >= p.headDim || row >= p.queryLen)
        return;
    const float* weight = probabilities + ((long long)head * p.queryLen + row) * p.keyLen;
    const float* v = p.v + p.keyHead(head) + column;
    const int visible = p.visible(row);
    float sum = 0;
    for (int j = 0; j < visible; ++j)
        sum += weight[j] * v[(long long)j * p.headDim];
    p.o[p.queryHead(head) + (long long)row * p.headDim + column] = outputOf(sum, p, head, row);
}

// ---- tiled

extern "C" __global__ void tiled_scores(AttentionProblem<float> p, float* s) {
    __shared__ float q[tile][tile + 1], k[tile][tile + 1]; // a column more, so that columns lie in different banks
    const int head = blockIdx.z, firstRow = blockIdx.y * tile, firstKey = blockIdx.x * tile, x = threadIdx.x;
    const float* qHead = p.q + p.queryHead(head);
    const float* kHead = p.k + p.keyHead(head);
    float sum[rowsPerThread] = {};
    for (int begin = 0; begin < p.headDim; begin += tile) {
        for (int r = threadIdx.y; r < tile; r += blockDim.y) {
            const bool inside = begin + x < p.headDim;
            q[r][x] = inside && firstRow + r < p.queryLen ? qHead[(long long)(firstRow + r) * p.headDim + begin + x] : 0;
            k[r][x] = inside && firstKey + r < p.keyLen ? kHead[(long long)(firstKey + r) * p.headDim + begin + x] : 0;
        }
        __syncthreads();
        for (int c = 0; c < tile; ++c)
#pragma unroll
            for (int i = 0; i < rowsPerThread; ++i)
                sum[i] += q[threadIdx.y + i * 8][c] * k[x][c];
        __syncthreads();
    }
    const int key = firstKey + x;
#pragma unroll
    for (int i = 0; i < rowsPerThread; ++i) {
        const int row = firstRow + threadIdx.y + i * 8;
        if (row < p.queryLen && key < p.keyLen)
            s[((long long)head * p.queryLen + row) * p.keyLen + key] = key < p.visible(row) ? sum[i] * p.scale : -CUDART_INF_F;
    }
}

/// One warp a row.
extern "C" __global__ void tiled_softmax(AttentionProblem<float> p, const float* s, float* probabilities) {
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.y;
    if (row >= p.queryLen)
        return;
    const long long begin = ((long long)head * p.queryLen + row) * p.keyLen;
    float most = -CUDART_INF_F;
    for (int j = lane; j < p.keyLen; j += 32)
        most = fmaxf(most, s[begin + j]);
    most = groupMax<32>(most);
    const float base = baseOf(most);
    float sum = 0;
    for (int j = lane; j < p.keyLen; j += 32)
        sum += expf(s[begin + j] - base);
    sum = groupSum<32>(sum);
    const float inverse = sum == 0 ? 0 : 1 / sum;
    for (int j = lane; j < p.keyLen; j += 32)
        probabilities[begin + j] = expf(s[begin + j] - base) * inverse;
    if (lane == 0)
        p.lse[(long long)head * p.queryLen + row] = base + logf(sum);
}

extern "C" __global__ void tiled_output(AttentionProblem<float> p, const float* probabilities) {
    __shared__ float weight[tile][tile + 1], v[tile][tile];
    const int head = blockIdx.z, firstRow = blockIdx.y * tile, firstColumn = blockIdx.x * tile, x = threadIdx.x;
    const float* vHead = p.v + p.keyHead(head);
    const int seenByAll = p.visible(firstRow);
    float sum[rowsPerThread] = {};
    for (int begin = 0; begin < p.keyLen; begin += tile) {
        for (int r = threadIdx.y; r < tile; r += blockDim.y) {
            const bool row = firstRow + r < p.queryLen && begin + x < p.keyLen;
            const bool key = begin + r < p.keyLen && firstColumn + x < p.headDim;
            weight[r][x] = row ? probabilities[((long long)head * p.queryLen + firstRow + r) * p.keyLen + begin + x] : 0;
            v[r][x] = key ? vHead[(long long)(begin + r) * p.headDim + firstColumn + x] : 0;
        }
        __syncthreads();
        if (begin + tile <= seenByAll) {
            for (int j = 0; j < tile; ++j)
#pragma unroll
                for (int i = 0; i < rowsPerThread; ++i)
                    sum[i] += weight[threadIdx.y + i * 8][j] * v[j][x];
        } else {
#pragma unroll
            for (int i = 0; i < rowsPerThread; ++i) {
                const int seen = p.visible(firstRow + threadIdx.y + i * 8) - begin;
                for (int j = 0; j < tile && j < seen; ++j)
                    sum[i] += weight[threadIdx.y + i * 8][j] * v[j][x];
            }
        }
        __syncthreads();
    }
    const int column = firstColumn + x;
#pragma unroll
    for (int i = 0; i < rowsPerThread; ++i) {
        const int row = firstRow + threadIdx.y + i * 8;
        if (row < p.queryLen && column < p.headDim)
            p.o[p.queryHead(head) + (long long)row * p.headDim + column] = outputOf(sum[i], p, head, row);
    }
}
