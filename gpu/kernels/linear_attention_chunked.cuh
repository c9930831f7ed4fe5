// Causal linear attention by chunks, in f32: the state passes from chunk to chunk, and within a chunk queries and keys meet
// as in attention, behind a mask of the decays between them. Two kernels:
//
//   linear_states   a block walks along the sequence with a tile of 32 features × 64 columns of a head's state and writes
//                   down the state that each chunk but the first begins with.
//   linear_outputs  a block answers 32 queries (16 where chunks are as short): O = decayed Q · state + (scores ∘ decays) V.
//
// Decays are multiplied up, never divided out nor taken as logarithms: 0 and negative ones are as good as any. Keys before
// a tile of queries are brought up to its first step, the tile's queries from there on; the tile's own keys meet them one by
// one. Not causal, all queries read the last state.
//
// Of the rules that overwrite, linear_attention_delta.cu writes what each step adds: queries take that for values, and for
// values of 1 what is in the place of beta.
#pragma once

#include "linear_attention.cuh"

namespace {

constexpr int threads = 128, columns = 64, stateFeatures = 32, stateSteps = 32;

/// Features first … first + F - 1 of `count` rows; zeros behind the last feature and from `count` on.
template <int F, int rows, class Problem>
__device__ void loadFeatures(float (&to)[rows][F + 1], const float* from, int count, int first, const Problem& p) {
#pragma unroll 4
    for (int i = threadIdx.x; i < rows * F; i += threads) {
        const int row = i / F, f = first + i % F;
        to[row][i % F] = row < count && f < p.features ? mapped(p.map, p.root * from[(long long)row * p.keyStride() + f]) : 0;
    }
}
/// The same of numbers a step and feature that lie as the features do.
template <int F, int rows>
__device__ void loadGates(float (&to)[rows][F + 1], const float* from, int count, int first, int features) {
#pragma unroll 4
    for (int i = threadIdx.x; i < rows * F; i += threads) {
        const int row = i / F, f = first + i % F;
        to[row][i % F] = row < count && f < features ? from[(long long)row * features + f] : 0;
    }
}
/// `count` rows of 64 columns, of those that there are.
template <int rows>
__device__ void loadColumns(float (&to)[rows][columns], const float* from, int count, int first, int width, int stride) {
#pragma unroll 4
    for (int i = threadIdx.x; i < rows * columns; i += threads) {
        const int row = i / columns, column = first + i % columns;
        to[row][i % columns] = row < count && column < width ? from[(long long)row * stride + column] : 0;
    }
}

/// sum[r][c] += a[r] · b[c] of four columns.
template <int rows>
__device__ __forceinline__ void addProducts(float (&sum)[rows][4], const float (&a)[rows], const float4& b) {
#pragma unroll
    for (int r = 0; r < rows; ++r) {
        sum[r][0] += a[r] * b.x;
        sum[r][1] += a[r] * b.y;
        sum[r][2] += a[r] * b.z;
        sum[r][3] += a[r] * b.w;
    }
}

/// `states` [heads, chunks - 1, features, valueDim] and `sums` [heads, chunks - 1, features], the state for values of 1,
/// hold what chunks 1, 2, … begin with; p.state and p.z, where they are asked for, what is left at the end.
template <Rule rule, class Problem>
__device__ void writeStates(const Problem& p, float* states, float* sums, int chunk) {
    constexpr bool byFeature = rule == Rule::Gla;
    __shared__ float k[stateSteps][stateFeatures + 1], a[byFeature ? stateSteps : 1][stateFeatures + 1], gate[stateSteps], all[stateFeatures];
    __shared__ __align__(16) float v[stateSteps][columns];
    const int columnTiles = (p.valueDim + columns - 1) / columns, head = blockIdx.y;
    const int firstFeature = blockIdx.x / columnTiles * stateFeatures, firstColumn = blockIdx.x % columnTiles * columns;
    const int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4; // this thread's four by four of the tile
    const float *kHead = p.keys(head), *vHead = p.values(head);
    const long long firstStep = (long long)head * p.keyLen;
    const int chunks = (p.keyLen + chunk - 1) / chunk, steps = chunk < stateSteps ? chunk : stateSteps;

    float s[4][4] = {}, z = 0; // z of feature threadIdx.x
    if (const float* before = p.before(head))
#pragma unroll
        for (int r = 0; r < 4; ++r)
#pragma unroll
            for (int c = 0; c < 4; ++c)
                if (firstFeature + row + r < p.features && firstColumn + column + c < p.valueDim)
                    s[r][c] = before[(long long)(firstFeature + row + r) * p.valueDim + firstColumn + column + c];
    const auto write = [&](float* state, float* sum) {
#pragma unroll
        for (int r = 0; r < 4; ++r)
#pragma unroll
            for (int c = 0; c < 4; ++c)
                if (state && firstFeature + row + r < p.features && firstColumn + column + c < p.valueDim)
                    state[(long long)(firstFeature + row + r) * p.valueDim + firstColumn + column + c] = s[r][c];
        if (sum && firstColumn == 0 && threadIdx.x < stateFeatures && firstFeature + threadIdx.x < p.features)
            sum[firstFeature + threadIdx.x] = z;
    };
    for (int begin = 0; begin < p.keyLen; begin += steps) {
        if (p.causal && begin > 0 && begin % chunk == 0) {
            const long long at = (long long)head * (chunks - 1) + begin / chunk - 1;
            write(states + at * p.features * p.valueDim, sums ? sums + at * p.features : nullptr);
        }
        const int count = p.keyLen - begin < steps ? p.keyLen - begin : steps;
        __syncthreads();
        loadFeatures<stateFeatures>(k, kHead + (long long)begin * p.keyStride(), count, firstFeature, p);
        loadColumns(v, vHead + (long long)begin * p.valueStride(), count, firstColumn, p.valueDim, p.valueStride());
        if (byFeature)
            loadGates<stateFeatures>(a, p.decay + (firstStep + begin) * p.features, count, firstFeature, p.features);
        if (decaysByStep<rule> && threadIdx.x < count)
            gate[threadIdx.x] = p.decay[firstStep + begin + threadIdx.x];
        __syncthreads();
        if (rule != Rule::Add) { // keys are brought up to the end of the tile
            if (threadIdx.x < stateFeatures) {
                float product = 1;
                for (int t = count - 1; t >= 0; --t) {
                    k[t][threadIdx.x] *= product;
                    product *= byFeature ? a[byFeature ? t : 0][threadIdx.x] : gate[t];
                }
                all[threadIdx.x] = product;
            }
            __syncthreads();
#pragma unroll
            for (int r = 0; r < 4; ++r)
#pragma unroll
                for (int c = 0; c < 4; ++c)
                    s[r][c] *= all[row + r];
            if (threadIdx.x < stateFeatures)
                z *= all[threadIdx.x];
        }
        for (int t = 0; t < count; ++t) {
            const float key[4] = {k[t][row], k[t][row + 1], k[t][row + 2], k[t][row + 3]};
            addProducts(s, key, *reinterpret_cast<const float4*>(&v[t][column]));
            if (threadIdx.x < stateFeatures)
                z += k[t][threadIdx.x];
        }
    }
    write(p.state ? p.state + (long long)head * p.features * p.valueDim : nullptr, p.z ? p.z + (long long)head * p.features : nullptr);
}

template <Rule rule, int chunk, class Problem>
__device__ void answer(const Problem& p, const float* states, const float* sums) {
    constexpr int rows = chunk < 32 ? chunk : 32, F = chunk <= 64 ? 32 : 16, perThread = rows / 8, keyColumns = chunk / 16, parts = 4;
    constexpr bool byFeature = rule == Rule::Gla;
    __shared__ float q[rows][F + 1], decayed[byFeature ? rows : 1][F + 1], k[chunk][F + 1], a[byFeature ? chunk : 1][F + 1];
    __shared__ float score[rows][chunk + 1], gate[chunk], one[chunk], sinceBegin[rows], ones[rows], sum[F];
    __shared__ __align__(16) float v[32][columns];
    const int head = blockIdx.y, first = blockIdx.x * rows, count = p.queryLen - first < rows ? p.queryLen - first : rows;
    const int begin = first / chunk * chunk, before = first - begin; // of this chunk's keys, those before the queries
    const int keys = p.causal ? before + count : 0, index = p.causal ? begin / chunk - 1 : 0;
    const float* initial = p.before(head);
    const bool reads = !p.causal || begin > 0 || initial;
    const int row = threadIdx.x / 16 * perThread, lane = threadIdx.x % 16;
    const float* qHead = p.queries(head) + (long long)first * p.keyStride();
    const float* kHead = p.keys(head) + (long long)begin * p.keyStride();
    const float* vHead = p.values(head) + (long long)begin * p.valueStride();
    const long long firstStep = (long long)head * p.keyLen + begin;

    if (decaysByStep<rule> && threadIdx.x < keys)
        gate[threadIdx.x] = p.decay[firstStep + threadIdx.x];
    if (p.beta && threadIdx.x < keys)
        one[threadIdx.x] = p.beta[firstStep + threadIdx.x];

    // Scores: rows of queries `row` …, keys lane, lane + 16, …
    float s[perThread][keyColumns] = {}, own[byFeature ? rows : 1] = {}; // own: of key threadIdx.x / 4 and a quarter of the features
    for (int f0 = 0; keys > 0 && f0 < p.features; f0 += F) {
        __syncthreads();
        loadFeatures<F>(q, qHead, count, f0, p);
        loadFeatures<F>(k, kHead, keys, f0, p);
        if (byFeature)
            loadGates<F>(reinterpret_cast<float(&)[byFeature ? chunk : 1][F + 1]>(a), p.decay + firstStep * p.features, keys, f0, p.features);
        __syncthreads();
        if (byFeature) {
            if (threadIdx.x < F) {
                float product = 1;
                for (int j = before - 1; j >= 0; --j) {
                    k[j][threadIdx.x] *= product;
                    product *= a[byFeature ? j : 0][threadIdx.x];
                }
                product = 1;
                for (int i = 0; i < rows; ++i) {
                    if (i < count)
                        product *= a[byFeature ? before + i : 0][threadIdx.x];
                    decayed[byFeature ? i : 0][threadIdx.x] = product * q[i][threadIdx.x];
                }
            }
            if (const int key = threadIdx.x / parts; key < count)
                for (int f = threadIdx.x % parts; f < F; f += parts) {
                    float decayedKey = k[before + key][f];
#pragma unroll
                    for (int i = 0; i < rows; ++i)
                        if (i >= key && i < count) {
                            decayedKey *= i > key ? a[byFeature ? before + i : 0][f] : 1;
                            own[byFeature ? i : 0] += q[i][f] * decayedKey;
                        }
                }
            __syncthreads();
        }
        const float(*queries)[F + 1] = byFeature ? decayed : q;
#pragma unroll 4
        for (int f = 0; f < F; ++f) {
#pragma unroll
            for (int j = 0; j < keyColumns; ++j)
                if (16 * j < keys) {
                    const float key = k[lane + 16 * j][f];
#pragma unroll
                    for (int r = 0; r < perThread; ++r)
                        s[r][j] += queries[row + r][f] * key;
                }
        }
    }
#pragma unroll
    for (int j = 0; j < keyColumns; ++j)
#pragma unroll
        for (int r = 0; r < perThread; ++r)
            score[row + r][lane + 16 * j] = lane + 16 * j <= before + row + r ? s[r][j] : 0;
    __syncthreads();
    if (byFeature)
#pragma unroll
        for (int i = 0; i < rows; ++i) {
            float x = own[byFeature ? i : 0];
            x += __shfl_xor_sync(0xffffffffu, x, 1);
            x += __shfl_xor_sync(0xffffffffu, x, 2);
            if (const int key = threadIdx.x / parts; threadIdx.x % parts == 0 && key <= i && key < count)
                score[i][before + key] = x;
        }
    if (decaysByStep<rule>) {
        if (threadIdx.x < keys) { // down this key's column
            float product = 1;
            for (int i = threadIdx.x + 1; i < keys; ++i) {
                product *= gate[i];
                if (i >= before)
                    score[i - before][threadIdx.x] *= product;
            }
        }
        if (threadIdx.x < rows) {
            float product = 1;
            for (int i = 0; i <= before + threadIdx.x && i < keys; ++i)
                product *= gate[i];
            sinceBegin[threadIdx.x] = product;
        }
    }
    __syncthreads();
    for (int i = threadIdx.x / 32; p.normalised && i < rows; i += threads / 32) { // a warp a row
        float x = 0;
        for (int j = threadIdx.x % 32; j <= before + i && j < keys; j += 32)
            x += p.beta ? score[i][j] * one[j] : score[i][j];
#pragma unroll
        for (int step = 16; step > 0; step /= 2)
            x += __shfl_xor_sync(0xffffffffu, x, step);
        if (threadIdx.x % 32 == 0)
            ones[i] = x;
    }

    for (int firstColumn = 0; firstColumn < p.valueDim; firstColumn += columns) {
        float o[perThread][4] = {};
        for (int f0 = 0; reads && f0 < p.features; f0 += F) { // what the chunk began with
            const int left = p.features - f0 < F ? p.features - f0 : F;
            const long long at = ((long long)head * (p.causal ? (p.keyLen + chunk - 1) / chunk - 1 : 1) + index) * p.features + f0;
            const bool normaliser = p.normalised && firstColumn == 0;
            __syncthreads();
            loadFeatures<F>(q, qHead, count, f0, p);
            loadColumns(v, begin == 0 && initial ? initial + (long long)f0 * p.valueDim : states + at * p.valueDim, left, firstColumn, p.valueDim, p.valueDim);
            if (normaliser && threadIdx.x < F)
                sum[threadIdx.x] = threadIdx.x < left ? sums[at + threadIdx.x] : 0;
            if (byFeature)
                loadGates<F>(reinterpret_cast<float(&)[byFeature ? chunk : 1][F + 1]>(a), p.decay + firstStep * p.features, keys, f0, p.features);
            __syncthreads();
            if (byFeature) {
                if (threadIdx.x < F) {
                    float product = 1;
                    for (int i = 0; i < keys; ++i) {
                        product *= a[byFeature ? i : 0][threadIdx.x];
                        if (i >= before)
                            q[i - before][threadIdx.x] *= product;
                    }
                }
                __syncthreads();
            }
#pragma unroll 4
            for (int f = 0; f < F; ++f) {
                float query[perThread];
#pragma unroll
                for (int r = 0; r < perThread; ++r)
                    query[r] = q[row + r][f];
                addProducts(o, query, *reinterpret_cast<const float4*>(&v[f][lane * 4]));
            }
            if (normaliser && threadIdx.x < count) {
                float x = 0;
                for (int f = 0; f < left; ++f)
                    x += q[threadIdx.x][f] * sum[f];
                ones[threadIdx.x] += decaysByStep<rule> ? sinceBegin[threadIdx.x] * x : x;
            }
        }
        if (decaysByStep<rule>)
#pragma unroll
            for (int r = 0; r < perThread; ++r)
#pragma unroll
                for (int c = 0; c < 4; ++c)
                    o[r][c] *= sinceBegin[row + r];
        for (int j0 = 0; j0 < keys; j0 += 32) {
            const int left = keys - j0 < 32 ? keys - j0 : 32;
            __syncthreads();
            loadColumns(v, vHead + (long long)j0 * p.valueStride(), left, firstColumn, p.valueDim, p.valueStride());
            __syncthreads();
            for (int j = 0; j < left; ++j) {
                const float4 value = *reinterpret_cast<const float4*>(&v[j][lane * 4]);
#pragma unroll
                for (int r = 0; r < perThread; ++r) // a weight of 0 times a NaN would be one
                    if (j0 + j <= before + row + r) {
                        const float weight = score[row + r][j0 + j];
                        o[r][0] += weight * value.x;
                        o[r][1] += weight * value.y;
                        o[r][2] += weight * value.z;
                        o[r][3] += weight * value.w;
                    }
            }
        }
        __syncthreads();
        float* out = p.outputs(head) + (long long)first * p.valueStride();
#pragma unroll
        for (int r = 0; r < perThread; ++r)
#pragma unroll
            for (int c = 0; c < 4; ++c)
                if (const int column = firstColumn + lane * 4 + c; row + r < count && column < p.valueDim)
                    out[(long long)(row + r) * p.valueStride() + column] = p.normalised ? o[r][c] / ones[row + r] : o[r][c];
    }
}

} // namespace
