// Scans of chunks, for numbers that are real (float) or complex (float2), and for rows from either end.
//
// A pair (a, b) stands for steps, the earlier of two first: (a, b) then (a', b') is (a' a, a' b + b').
//
// Rows are a class with
//   Number, Steps              what states are; a thread's steps of a chunk: 16 bytes of each tensor
//   before(row)                the state before the first step
//   load(row, chunk)           this thread's steps; those that there are not change nothing
//   all(steps)                 as one pair
//   store(row, steps, before)  what comes of them. All threads of a block call it.
#pragma once

namespace {

__device__ __forceinline__ float product(float x, float y) { return x * y; }
__device__ __forceinline__ float2 product(float2 x, float2 y) { return {fmaf(-x.y, y.y, x.x * y.x), fmaf(x.y, y.x, x.x * y.y)}; }
__device__ __forceinline__ float productAdded(float x, float y, float to) { return fmaf(x, y, to); }
__device__ __forceinline__ float2 productAdded(float2 x, float2 y, float2 to) {
    return {fmaf(-x.y, y.y, fmaf(x.x, y.x, to.x)), fmaf(x.y, y.x, fmaf(x.x, y.y, to.y))};
}

template <class T>
struct Pair {
    T a, b;
};
template <class T>
__device__ __forceinline__ Pair<T> combined(Pair<T> earlier, Pair<T> later) {
    return {product(later.a, earlier.a), productAdded(later.a, earlier.b, later.b)};
}
template <class T>
__device__ __forceinline__ T applied(Pair<T> steps, T state) {
    return productAdded(steps.a, state, steps.b);
}
/// A pair, or steps that change nothing. (Chosen as a whole, they would become a constant in global memory.)
__device__ __forceinline__ Pair<float> pairIf(bool there, float a, float b) { return {there ? a : 1, there ? b : 0}; }
__device__ __forceinline__ Pair<float> pairIf(bool there, const float* a, const float* b) { return {there ? *a : 1, there ? *b : 0}; }
__device__ __forceinline__ Pair<float2> pairIf(bool there, float2 a, float2 b) {
    return {{there ? a.x : 1, there ? a.y : 0}, {there ? b.x : 0, there ? b.y : 0}};
}
__device__ __forceinline__ Pair<float2> pairIf(bool there, const float2* a, const float2* b) {
    Pair<float2> pair{{1, 0}, {0, 0}};
    if (there)
        pair.a = *a, pair.b = *b;
    return pair;
}

constexpr unsigned int wholeWarp = 0xffffffffu;
constexpr int chunkThreads = 256, chunkWarps = chunkThreads / 32;

__device__ __forceinline__ float shuffleUp(float x, int by) { return __shfl_up_sync(wholeWarp, x, by); }
__device__ __forceinline__ float2 shuffleUp(float2 x, int by) { return {shuffleUp(x.x, by), shuffleUp(x.y, by)}; }
__device__ __forceinline__ float shuffle(float x, int lane) { return __shfl_sync(wholeWarp, x, lane); }
__device__ __forceinline__ float2 shuffle(float2 x, int lane) { return {shuffle(x.x, lane), shuffle(x.y, lane)}; }

/// What volatile reads and writes find is what others wrote before their fence.
__device__ __forceinline__ float readTold(const float* from) { return *reinterpret_cast<const volatile float*>(from); }
__device__ __forceinline__ float2 readTold(const float2* from) { return {readTold(&from->x), readTold(&from->y)}; }

__device__ __forceinline__ void unpack(float4 x, float (&to)[4]) { to[0] = x.x, to[1] = x.y, to[2] = x.z, to[3] = x.w; }
__device__ __forceinline__ void unpack(float4 x, float2 (&to)[2]) { to[0] = {x.x, x.y}, to[1] = {x.z, x.w}; }
__device__ __forceinline__ float4 packed(const float (&x)[4]) { return {x[0], x[1], x[2], x[3]}; }
__device__ __forceinline__ float4 packed(const float2 (&x)[2]) { return {x[0].x, x[0].y, x[1].x, x[1].y}; }

} // namespace

/// As gpu/ops/scan.cpp has it. Rows lie `stride` numbers apart, a multiple of 16 bytes; h0 may be null.
template <class T>
struct ScanRows {
    using Number = T;
    static constexpr int items = 16 / sizeof(T);
    struct Steps {
        Pair<T> step[items];
        long long at;
        int count; ///< that there are
    };

    const T *a, *b, *h0;
    T* h;
    long long stride;
    int channels, length;

    __device__ __forceinline__ T before(int row) const { return h0 ? h0[row] : T{}; }
    __device__ __forceinline__ Steps load(int row, int chunk) const {
        const int first = chunk * (items * chunkThreads) + items * threadIdx.x;
        Steps s;
        s.at = row * stride + first;
        s.count = length - first;
        float4 wholeA{}, wholeB{};
        if (s.count > 0) {
            wholeA = *reinterpret_cast<const float4*>(a + s.at);
            wholeB = *reinterpret_cast<const float4*>(b + s.at);
        }
        T eachA[items], eachB[items];
        unpack(wholeA, eachA);
        unpack(wholeB, eachB);
#pragma unroll
        for (int i = 0; i < items; ++i)
            s.step[i] = pairIf(s.count > i, eachA[i], eachB[i]);
        return s;
    }
    __device__ __forceinline__ static Pair<T> all(const Steps& s) {
        const Pair<T> two = combined(s.step[0], s.step[1]);
        if constexpr (items == 2)
            return two;
        else
            return combined(two, combined(s.step[2], s.step[3]));
    }
    __device__ __forceinline__ void store(int, const Steps& s, T state) const {
        if (s.count <= 0)
            return;
        T states[items];
#pragma unroll
        for (int i = 0; i < items; ++i)
            states[i] = state = applied(s.step[i], state);
        *reinterpret_cast<float4*>(h + s.at) = packed(states);
    }
};

namespace {

/// A thread a row.
template <class T>
__device__ __forceinline__ void serial(const ScanRows<T>& p) {
    const int row = blockIdx.x * 128 + threadIdx.x;
    if (row >= p.channels)
        return;
    const long long at = row * p.stride;
    T state = p.before(row);
    for (int t = 0; t < p.length; ++t)
        p.h[at + t] = state = productAdded(p.a[at + t], state, p.b[at + t]);
}

/// Lane i becomes all lanes up to it.
template <class T>
__device__ __forceinline__ Pair<T> warpScan(Pair<T> own) {
#pragma unroll
    for (int by = 1; by < 32; by *= 2) {
        const Pair<T> earlier{shuffleUp(own.a, by), shuffleUp(own.b, by)};
        if (threadIdx.x % 32 >= by)
            own = combined(earlier, own);
    }
    return own;
}

/// Scans of chunkThreads pairs, a thread each.
template <class T>
struct BlockScan {
    Pair<T> warp[chunkWarps];

    struct Result {
        Pair<T> before, all; ///< of the threads before this one, of the block
    };
    __device__ __forceinline__ Result operator()(Pair<T> own) {
        const Pair<T> upTo = warpScan(own);
        const Pair<T> before = pairIf(threadIdx.x % 32 > 0, shuffleUp(upTo.a, 1), shuffleUp(upTo.b, 1));
        __syncthreads(); // a result before this one is read
        if (threadIdx.x % 32 == 31)
            warp[threadIdx.x / 32] = upTo;
        __syncthreads();
        Pair<T> earlier = pairIf(false, T{}, T{}), whole = warp[0];
#pragma unroll
        for (int w = 1; w < chunkWarps; ++w) {
            if (w == threadIdx.x / 32)
                earlier = whole;
            whole = combined(whole, warp[w]);
        }
        return {combined(earlier, before), whole};
    }
};

/// A block for each chunk but the last: pairs [channels, chunks - 1].
template <class Rows, class T>
__device__ __forceinline__ void chunkPairs(const Rows& p, Pair<T>* pairs, int chunks) {
    __shared__ BlockScan<T> scan;
    const int row = blockIdx.x / (chunks - 1), chunk = blockIdx.x % (chunks - 1);
    const Pair<T> whole = scan(Rows::all(p.load(row, chunk))).all;
    if (threadIdx.x == 0)
        pairs[blockIdx.x] = whole;
}

/// A block for each row: the state behind each chunk but the last, states [channels, chunks - 1].
template <class Rows, class T>
__device__ __forceinline__ void carry(const Rows& p, const Pair<T>* pairs, T* states, int chunks) {
    __shared__ BlockScan<T> scan;
    T state = p.before(blockIdx.x);
    for (int begin = 0; begin < chunks - 1; begin += chunkThreads) {
        const int chunk = begin + threadIdx.x;
        const long long at = (long long)blockIdx.x * (chunks - 1) + chunk;
        const Pair<T> own = pairIf(chunk < chunks - 1, &pairs[at].a, &pairs[at].b);
        const typename BlockScan<T>::Result scanned = scan(own);
        if (chunk < chunks - 1)
            states[at] = applied(own, applied(scanned.before, state));
        state = applied(scanned.all, state);
    }
}

/// A block for each chunk.
template <class Rows, class T>
__device__ __forceinline__ void chunkStates(const Rows& p, const T* states, int chunks) {
    __shared__ BlockScan<T> scan;
    const int row = blockIdx.x / chunks, chunk = blockIdx.x % chunks;
    const typename Rows::Steps own = p.load(row, chunk);
    const T before = chunk == 0 ? p.before(row) : states[(long long)row * (chunks - 1) + chunk - 1];
    p.store(row, own, applied(scan(Rows::all(own)).before, before));
}

} // namespace

/// What chunks tell those behind them, [channels, chunks] each.
template <class T>
struct LookBack {
    int *tickets, *status;
    Pair<T>* pairs;
    T* states;
};
namespace {

enum Status { untold, pairTold, stateTold };

__device__ __forceinline__ void publish(int* status, Status what) {
    __threadfence();
    *reinterpret_cast<volatile int*>(status) = what;
}
__device__ __forceinline__ int readStatus(const int* from) { return *reinterpret_cast<const volatile int*>(from); }
template <class T>
__device__ __forceinline__ Pair<T> readPairIf(bool there, const Pair<T>* from) {
    Pair<T> pair = pairIf(false, T{}, T{});
    if (there)
        pair.a = readTold(&from->a), pair.b = readTold(&from->b);
    return pair;
}

/// The state behind chunk `last` (-1: before the first), by one warp. Lane i looks at chunk last - i of its row, whose first
/// chunk has number `first`.
template <class T>
__device__ __forceinline__ T lookBack(const LookBack<T>& told, long long first, int last, T start) {
    const int lane = threadIdx.x % 32;
    int end = last, nearest; // of the window: chunks end - 31 … end
    for (;;) {
        const int chunk = end - lane;
        const int status = chunk < 0 ? int(stateTold) : readStatus(told.status + first + chunk);
        const unsigned int known = __ballot_sync(wholeWarp, status == stateTold), unknown = __ballot_sync(wholeWarp, status == untold);
        nearest = __ffs(known) - 1;
        if (known && !(unknown & ((1u << nearest) - 1)))
            break;
        if (!known && !unknown)
            end -= 32;
    }
    __threadfence();
    const int from = end - nearest;
    T state = start;
    if (from >= 0)
        state = readTold(told.states + first + from);
    for (int begin = from + 1; begin <= last; begin += 32) { // forward again, a chunk after the other
        const int count = last - begin + 1 < 32 ? last - begin + 1 : 32;
        const Pair<T> own = readPairIf(lane < count, told.pairs + first + begin + lane);
        for (int i = 0; i < count; ++i)
            state = applied({shuffle(own.a, i), shuffle(own.b, i)}, state);
    }
    return state;
}

/// A block for each chunk; blocks take chunks in the order in which they begin, so that whoever is waited for runs.
template <class Rows, class T>
__device__ __forceinline__ void onePass(const Rows& p, const LookBack<T>& told, int chunks) {
    __shared__ BlockScan<T> scan;
    __shared__ int ticket;
    __shared__ T stateBefore;
    if (threadIdx.x == 0)
        ticket = atomicAdd(told.tickets, 1);
    __syncthreads();
    const int row = ticket / chunks, chunk = ticket % chunks;
    const typename Rows::Steps own = p.load(row, chunk);
    const typename BlockScan<T>::Result scanned = scan(Rows::all(own));
    if (threadIdx.x < 32) {
        const bool isLast = chunk == chunks - 1;
        if (threadIdx.x == 0 && !isLast && chunk > 0) {
            told.pairs[ticket] = scanned.all;
            publish(told.status + ticket, pairTold);
        }
        const T before = lookBack(told, ticket - chunk, chunk - 1, p.before(row));
        if (threadIdx.x == 0) {
            stateBefore = before;
            if (!isLast) {
                told.states[ticket] = applied(scanned.all, before);
                publish(told.status + ticket, stateTold);
            }
        }
    }
    __syncthreads();
    p.store(row, own, applied(scanned.before, stateBefore));
}

} // namespace
