// The linear scan h_t = a_t h_{t-1} + b_t of rows in f32: a ladder. What pairs (a, b) are, and all that is in chunks:
// scan.cuh.
//
//   scan_serial         a thread a row, one step after the other: no work too much, and neighbours in a warp read far apart
//   scan_hillis_steele  a block a row, tile by tile in shared memory: each element takes in the one 1, 2, 4 … before it
//   scan_sklansky       the same number of steps with half the work, in place: half a block takes in the last of the other
//   scan_blelloch       up a tree and down again: work of 2 n for twice the barriers; padded, so that no banks conflict
//   scan_pairs, scan_carry, scan_states
//                       chunked: what each chunk of all rows does as one pair, the states between chunks, then h; a and b
//                       are read twice
//   scan_reset, scan_look_back
//                       in one pass: a chunk takes a number, tells what it does, and looks back for a state or, until there
//                       is one, for what the chunks since do (Merrill and Garland 2016, "Single-pass parallel prefix scan with
//                       decoupled look-back"). A state passes one chunk after the other whoever carries it: the bits do not
//                       depend on who was where.
#include "scan.cuh"

extern "C" __global__ void __launch_bounds__(128) scan_serial(ScanRows<float> p) { serial(p); }

/// A block a row; tiles of blockDim steps, a power of two up to 512.
extern "C" __global__ void __launch_bounds__(512) scan_hillis_steele(ScanRows<float> p) {
    __shared__ float a[2][512], b[2][512];
    const int i = threadIdx.x, tile = blockDim.x;
    const long long at = blockIdx.x * p.stride;
    float state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        const bool isStep = begin + i < p.length;
        Pair<float> own = pairIf(isStep, p.a + at + begin + i, p.b + at + begin + i);
        int from = 0;
        __syncthreads(); // the last steps of the tile before are read
        a[0][i] = own.a, b[0][i] = own.b;
        for (int by = 1; by < tile; by *= 2, from ^= 1) {
            __syncthreads();
            if (i >= by)
                own = combined({a[from][i - by], b[from][i - by]}, own);
            a[from ^ 1][i] = own.a, b[from ^ 1][i] = own.b;
        }
        __syncthreads();
        if (isStep)
            p.h[at + begin + i] = applied(own, state);
        state = applied({a[from][tile - 1], b[from][tile - 1]}, state);
    }
}

/// As scan_hillis_steele. A warp's lanes are neighbours even where half of them have nothing to do: no banks conflict.
extern "C" __global__ void __launch_bounds__(512) scan_sklansky(ScanRows<float> p) {
    __shared__ float a[512], b[512];
    const int i = threadIdx.x, tile = blockDim.x;
    const long long at = blockIdx.x * p.stride;
    float state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        const bool isStep = begin + i < p.length;
        Pair<float> own = pairIf(isStep, p.a + at + begin + i, p.b + at + begin + i);
        __syncthreads();
        a[i] = own.a, b[i] = own.b;
        for (int half = 1; half < tile; half *= 2) {
            __syncthreads();
            if (i & half) {
                const int last = (i & ~(half - 1)) - 1; // of the first half
                own = combined({a[last], b[last]}, own);
                a[i] = own.a, b[i] = own.b;
            }
        }
        __syncthreads();
        if (isStep)
            p.h[at + begin + i] = applied(own, state);
        state = applied({a[tile - 1], b[tile - 1]}, state);
    }
}

/// A block a row; tiles of two steps a thread, a power of two up to 1024.
extern "C" __global__ void __launch_bounds__(512) scan_blelloch(ScanRows<float> p) {
    constexpr int most = 1024 + 1024 / 32;
    __shared__ float a[most], b[most], states[most];
    const auto place = [](int step) { return step + step / 32; }; // without conflicts whatever the stride
    const int threads = blockDim.x, tile = 2 * threads;
    const long long at = blockIdx.x * p.stride;
    float state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        Pair<float> own[2];
        __syncthreads(); // the tile before is read
#pragma unroll
        for (int n = 0; n < 2; ++n) {
            const int step = threadIdx.x + n * threads;
            own[n] = pairIf(begin + step < p.length, p.a + at + begin + step, p.b + at + begin + step);
            a[place(step)] = own[n].a, b[place(step)] = own[n].b;
        }
        int half = 1;
        for (; half < tile; half *= 2) {
            __syncthreads();
            if (threadIdx.x < tile / (2 * half)) {
                const int left = place((2 * threadIdx.x + 1) * half - 1), into = place((2 * threadIdx.x + 2) * half - 1);
                const Pair<float> both = combined<float>({a[left], b[left]}, {a[into], b[into]});
                a[into] = both.a, b[into] = both.b;
            }
        }
        if (threadIdx.x == 0)
            states[0] = state;
        __syncthreads();
        state = applied({a[place(tile - 1)], b[place(tile - 1)]}, state);
        for (half = tile / 2; half >= 1; half /= 2) {
            if (threadIdx.x < tile / (2 * half)) {
                const int right = (2 * threadIdx.x + 1) * half, left = place(right - 1);
                states[place(right)] = applied({a[left], b[left]}, states[place(right - half)]);
            }
            __syncthreads();
        }
#pragma unroll
        for (int n = 0; n < 2; ++n)
            if (const int step = threadIdx.x + n * threads; begin + step < p.length)
                p.h[at + begin + step] = applied(own[n], states[place(step)]);
    }
}

/// Grid channels · (chunks - 1): pairs [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_pairs(ScanRows<float> p, Pair<float>* pairs, int chunks) { chunkPairs(p, pairs, chunks); }

/// Grid channels: the state behind each chunk but the last, states [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_carry(ScanRows<float> p, const Pair<float>* pairs, float* states, int chunks) {
    carry(p, pairs, states, chunks);
}

/// Grid channels · chunks.
extern "C" __global__ void __launch_bounds__(256) scan_states(ScanRows<float> p, const float* states, int chunks) { chunkStates(p, states, chunks); }

extern "C" __global__ void __launch_bounds__(256) scan_reset(LookBack<float> told, int chunks) {
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i == 0)
        *told.tickets = 0;
    if (i < chunks)
        told.status[i] = untold;
}

/// Grid channels · chunks; blocks take chunks in the order in which they begin, so that whoever is waited for runs.
extern "C" __global__ void __launch_bounds__(256) scan_look_back(ScanRows<float> p, LookBack<float> told, int chunks) { onePass(p, told, chunks); }
