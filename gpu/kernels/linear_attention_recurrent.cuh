// Linear attention step by step, in f32: the state stays on the chip, and each key is taken and each query answered in turn.
//
// A block holds 32 columns of a head's state in registers. Four lanes share a column: lane `part` has its features part,
// part + 4, … One more warp has the column of ones that normalises. Nothing is parallel over the sequence.
#pragma once

#include "linear_attention.cuh"

namespace {

constexpr int columns = 32, lanesPerColumn = 4, valueWarps = columns * lanesPerColumn / 32;

/// Steps whose rows are in shared memory at a time.
template <int D>
constexpr int stepsPerTile = D <= 128 ? 16 : 8;

/// The features of rows first … first + count - 1, a warp a row; zeros behind the last feature.
template <int D, int rows, class Problem>
__device__ void loadFeatures(float (&to)[rows][D], const float* from, int first, int count, const Problem& p) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, shift = p.map == Cos;
    for (int row = warp; row < count; row += blockDim.x / 32) {
        const float* x = from + (long long)(first + row) * p.keyStride();
        float squares = 0;
#pragma unroll 1
        for (int feature = lane; feature < D; feature += 32) {
            const float number = feature >= shift && feature < p.features ? p.root * x[feature - shift] : 0;
            to[row][feature] = number;
            squares += number * number;
        }
#pragma unroll
        for (int step = 16; step > 0; step /= 2)
            squares += __shfl_xor_sync(0xffffffffu, squares, step);
        const float length = sqrtf(squares);
#pragma unroll 1
        for (int feature = lane; feature < p.features; feature += 32) {
            const float number = to[row][feature];
            to[row][feature] = p.map != Cos ? mapped(p.map, number) : feature == 0 ? 1 : number / length;
        }
    }
}

__device__ __forceinline__ float columnSum(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

template <int D>
__device__ __forceinline__ float dot(const float (&state)[D / lanesPerColumn], const float (&row)[D], int part) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < D / lanesPerColumn; ++i)
        sum += state[i] * row[i * lanesPerColumn + part];
    return columnSum(sum);
}

template <int D, Rule rule, class Problem>
__device__ void recurrent(const Problem& p) {
    constexpr int steps = stepsPerTile<D>, perLane = D / lanesPerColumn;
    constexpr bool byFeature = rule == Rule::Gla;
    __shared__ float q[steps][D], k[steps][D], a[byFeature ? steps : 1][byFeature ? D : 1];
    __shared__ float v[steps][columns], out[steps][columns + 1], gate[steps], strength[steps], ones[steps];
    const int head = blockIdx.y, firstColumn = blockIdx.x * columns;
    const int group = threadIdx.x / lanesPerColumn, part = threadIdx.x % lanesPerColumn;
    const bool normaliser = threadIdx.x / 32 == valueWarps;
    const int width = p.valueDim - firstColumn < columns ? p.valueDim - firstColumn : columns; // columns that there are
    const float *qHead = p.queries(head), *kHead = p.keys(head), *vHead = p.values(head) + firstColumn;
    float* oHead = p.outputs(head) + firstColumn;
    const long long firstStep = (long long)head * p.keyLen;

    float state[perLane] = {};
    if (const float* before = p.before(head))
#pragma unroll
        for (int i = 0; i < perLane; ++i)
            if (const int feature = i * lanesPerColumn + part; !normaliser && group < width && feature < p.features)
                state[i] = before[(long long)feature * p.valueDim + firstColumn + group];
    /// Of `count` rows of q, what the columns answered is written, divided by what the ones did.
    const auto write = [&](int begin, int count) {
        __syncthreads();
#pragma unroll 1
        for (int i = threadIdx.x; i < count * columns; i += blockDim.x) {
            const int row = i / columns, column = i % columns;
            if (column < width)
                oHead[(long long)(begin + row) * p.valueStride() + column] = p.normalised ? out[row][column] / ones[row] : out[row][column];
        }
        __syncthreads();
    };
    const auto answer = [&](int row) {
        const float read = dot<D>(state, q[row], part);
        if (part == 0 && !normaliser)
            out[row][group] = read;
        else if (threadIdx.x == 32 * valueWarps)
            ones[row] = read;
    };

    for (int begin = 0; begin < p.keyLen; begin += steps) {
        const int count = p.keyLen - begin < steps ? p.keyLen - begin : steps;
        if (p.causal)
            loadFeatures(q, qHead, begin, count, p);
        loadFeatures(k, kHead, begin, count, p);
#pragma unroll 1
        for (int i = threadIdx.x; i < count * columns; i += blockDim.x)
            v[i / columns][i % columns] = i % columns < width ? vHead[(long long)(begin + i / columns) * p.valueStride() + i % columns] : 0;
        if (byFeature)
#pragma unroll 1
            for (int i = threadIdx.x; i < count * D; i += blockDim.x)
                a[byFeature ? i / D : 0][byFeature ? i % D : 0] = i % D < p.features ? p.decay[(firstStep + begin + i / D) * p.features + i % D] : 0;
        if (decaysByStep<rule> && threadIdx.x < count)
            gate[threadIdx.x] = p.decay[firstStep + begin + threadIdx.x];
        if (isDelta<rule> && threadIdx.x < count)
            strength[threadIdx.x] = p.beta[firstStep + begin + threadIdx.x];
        __syncthreads();
#pragma unroll 1
        for (int row = 0; row < count; ++row) {
            const float g = decaysByStep<rule> ? gate[row] : 1;
#pragma unroll
            for (int i = 0; i < perLane; ++i)
                state[i] *= byFeature ? a[byFeature ? row : 0][byFeature ? i * lanesPerColumn + part : 0] : g;
            float value = normaliser ? 1 : v[row][group];
            if (isDelta<rule>)
                value = strength[row] * (value - dot<D>(state, k[row], part));
#pragma unroll
            for (int i = 0; i < perLane; ++i) // behind the last feature 0 times an infinity would be a NaN
                if (i * lanesPerColumn + part < p.features)
                    state[i] += k[row][i * lanesPerColumn + part] * value;
            if (p.causal)
                answer(row);
        }
        if (p.causal)
            write(begin, count);
        else
            __syncthreads();
    }
    for (int begin = 0; !p.causal && begin < p.queryLen; begin += steps) {
        const int count = p.queryLen - begin < steps ? p.queryLen - begin : steps;
        loadFeatures(q, qHead, begin, count, p);
        __syncthreads();
#pragma unroll 1
        for (int row = 0; row < count; ++row)
            answer(row);
        write(begin, count);
    }

    const int column = group;
#pragma unroll
    for (int i = 0; i < perLane; ++i) {
        const int feature = i * lanesPerColumn + part;
        if (p.state && !normaliser && column < width && feature < p.features)
            p.state[((long long)head * p.features + feature) * p.valueDim + firstColumn + column] = state[i];
        if (p.z && normaliser && blockIdx.x == 0 && group == columns && feature < p.features)
            p.z[(long long)head * p.features + feature] = state[i];
    }
}

} // namespace
