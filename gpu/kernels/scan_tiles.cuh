// Scans of rows tile by tile in shared memory, a block a row: the textbook's algorithms.
#pragma once

#include "scan.cuh"

namespace {

/// Numbers of a tile; of complex ones the parts lie apart, so that lanes of which half have nothing to do share no banks.
template <class T, int count>
struct Tile;
template <int count>
struct Tile<float, count> {
    float x[count];

    __device__ __forceinline__ float operator[](int i) const { return x[i]; }
    __device__ __forceinline__ void set(int i, float to) { x[i] = to; }
};
template <int count>
struct Tile<float2, count> {
    float re[count], im[count];

    __device__ __forceinline__ float2 operator[](int i) const { return {re[i], im[i]}; }
    __device__ __forceinline__ void set(int i, float2 to) { re[i] = to.x, im[i] = to.y; }
};

/// A block a row; tiles of blockDim steps, a power of two up to 512.
template <class T>
__device__ __forceinline__ void hillisSteele(const ScanRows<T>& p) {
    __shared__ Tile<T, 512> a[2], b[2];
    const int i = threadIdx.x, tile = blockDim.x;
    const long long at = blockIdx.x * p.stride;
    T state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        const bool isStep = begin + i < p.length;
        Pair<T> own = pairIf(isStep, p.a + at + begin + i, p.b + at + begin + i);
        int from = 0;
        __syncthreads(); // the last steps of the tile before are read
        a[0].set(i, own.a), b[0].set(i, own.b);
        for (int by = 1; by < tile; by *= 2, from ^= 1) {
            __syncthreads();
            if (i >= by)
                own = combined<T>({a[from][i - by], b[from][i - by]}, own);
            a[from ^ 1].set(i, own.a), b[from ^ 1].set(i, own.b);
        }
        __syncthreads();
        if (isStep)
            p.h[at + begin + i] = applied(own, state);
        state = applied<T>({a[from][tile - 1], b[from][tile - 1]}, state);
    }
}

/// As hillisSteele. A warp's lanes are neighbours even where half of them have nothing to do: no banks conflict.
template <class T>
__device__ __forceinline__ void sklansky(const ScanRows<T>& p) {
    __shared__ Tile<T, 512> a, b;
    const int i = threadIdx.x, tile = blockDim.x;
    const long long at = blockIdx.x * p.stride;
    T state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        const bool isStep = begin + i < p.length;
        Pair<T> own = pairIf(isStep, p.a + at + begin + i, p.b + at + begin + i);
        __syncthreads();
        a.set(i, own.a), b.set(i, own.b);
        for (int half = 1; half < tile; half *= 2) {
            __syncthreads();
            if (i & half) {
                const int last = (i & ~(half - 1)) - 1; // of the first half
                own = combined<T>({a[last], b[last]}, own);
                a.set(i, own.a), b.set(i, own.b);
            }
        }
        __syncthreads();
        if (isStep)
            p.h[at + begin + i] = applied(own, state);
        state = applied<T>({a[tile - 1], b[tile - 1]}, state);
    }
}

/// A block a row; tiles of two steps a thread, a power of two up to 1024.
template <class T>
__device__ __forceinline__ void blelloch(const ScanRows<T>& p) {
    constexpr int most = 1024 + 1024 / 32;
    __shared__ Tile<T, most> a, b, states;
    const auto place = [](int step) { return step + step / 32; }; // without conflicts whatever the stride
    const int threads = blockDim.x, tile = 2 * threads;
    const long long at = blockIdx.x * p.stride;
    T state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        Pair<T> own[2];
        __syncthreads(); // the tile before is read
#pragma unroll
        for (int n = 0; n < 2; ++n) {
            const int step = threadIdx.x + n * threads;
            own[n] = pairIf(begin + step < p.length, p.a + at + begin + step, p.b + at + begin + step);
            a.set(place(step), own[n].a), b.set(place(step), own[n].b);
        }
        int half = 1;
        for (; half < tile; half *= 2) {
            __syncthreads();
            if (threadIdx.x < tile / (2 * half)) {
                const int left = place((2 * threadIdx.x + 1) * half - 1), into = place((2 * threadIdx.x + 2) * half - 1);
                const Pair<T> both = combined<T>({a[left], b[left]}, {a[into], b[into]});
                a.set(into, both.a), b.set(into, both.b);
            }
        }
        if (threadIdx.x == 0)
            states.set(0, state);
        __syncthreads();
        state = applied<T>({a[place(tile - 1)], b[place(tile - 1)]}, state);
        for (half = tile / 2; half >= 1; half /= 2) {
            if (threadIdx.x < tile / (2 * half)) {
                const int right = (2 * threadIdx.x + 1) * half, left = place(right - 1);
                states.set(place(right), applied<T>({a[left], b[left]}, states[place(right - half)]));
            }
            __syncthreads();
        }
#pragma unroll
        for (int n = 0; n < 2; ++n)
            if (const int step = threadIdx.x + n * threads; begin + step < p.length)
                p.h[at + begin + step] = applied(own[n], states[place(step)]);
    }
}

} // namespace
