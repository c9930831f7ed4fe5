// The linear scan h_t = a_t h_{t-1} + b_t of rows in f32: a ladder. A pair (a, b) stands for steps, the earlier of two first:
// (a, b) then (a', b') is (a' a, a' b + b').
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
namespace {

struct Pair {
    float a, b;
};
__device__ __forceinline__ Pair combined(Pair earlier, Pair later) { return {later.a * earlier.a, fmaf(later.a, earlier.b, later.b)}; }
__device__ __forceinline__ float applied(Pair steps, float state) { return fmaf(steps.a, state, steps.b); }
/// A pair, or steps that change nothing. (Chosen as a whole, they would become a constant in global memory.)
__device__ __forceinline__ Pair pairIf(bool there, float a, float b) { return {there ? a : 1, there ? b : 0}; }
__device__ __forceinline__ Pair pairIf(bool there, const float* a, const float* b) { return {there ? *a : 1, there ? *b : 0}; }

constexpr unsigned int wholeWarp = 0xffffffffu;
constexpr int chunkThreads = 256, chunkItems = 4, chunkSteps = chunkThreads * chunkItems, chunkWarps = chunkThreads / 32;

} // namespace

/// As gpu/ops/scan.cpp has it. Rows lie `stride` numbers apart, a multiple of four; h0 may be null.
struct ScanRows {
    const float *a, *b, *h0;
    float* h;
    long long stride;
    int channels, length;

    __device__ float before(int row) const { return h0 ? h0[row] : 0; }
};

extern "C" __global__ void __launch_bounds__(128) scan_serial(ScanRows p) {
    const int row = blockIdx.x * 128 + threadIdx.x;
    if (row >= p.channels)
        return;
    const long long at = row * p.stride;
    float state = p.before(row);
    for (int t = 0; t < p.length; ++t)
        p.h[at + t] = state = fmaf(p.a[at + t], state, p.b[at + t]);
}

/// A block a row; tiles of blockDim steps, a power of two up to 512.
extern "C" __global__ void __launch_bounds__(512) scan_hillis_steele(ScanRows p) {
    __shared__ float a[2][512], b[2][512];
    const int i = threadIdx.x, tile = blockDim.x;
    const long long at = blockIdx.x * p.stride;
    float state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        const bool isStep = begin + i < p.length;
        Pair own = pairIf(isStep, p.a + at + begin + i, p.b + at + begin + i);
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
extern "C" __global__ void __launch_bounds__(512) scan_sklansky(ScanRows p) {
    __shared__ float a[512], b[512];
    const int i = threadIdx.x, tile = blockDim.x;
    const long long at = blockIdx.x * p.stride;
    float state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        const bool isStep = begin + i < p.length;
        Pair own = pairIf(isStep, p.a + at + begin + i, p.b + at + begin + i);
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
extern "C" __global__ void __launch_bounds__(512) scan_blelloch(ScanRows p) {
    constexpr int most = 1024 + 1024 / 32;
    __shared__ float a[most], b[most], states[most];
    const auto place = [](int step) { return step + step / 32; }; // without conflicts whatever the stride
    const int threads = blockDim.x, tile = 2 * threads;
    const long long at = blockIdx.x * p.stride;
    float state = p.before(blockIdx.x);
    for (int begin = 0; begin < p.length; begin += tile) {
        Pair own[2];
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
                const Pair both = combined({a[left], b[left]}, {a[into], b[into]});
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

namespace {

/// A thread's four steps of a chunk.
struct ChunkSteps {
    Pair step[chunkItems];
    long long at;
    int count; ///< that there are
};
__device__ __forceinline__ ChunkSteps loadSteps(const ScanRows& p, int row, int chunk) {
    const int first = chunk * chunkSteps + chunkItems * threadIdx.x;
    ChunkSteps s;
    s.at = row * p.stride + first;
    s.count = p.length - first;
    float4 a{}, b{};
    if (s.count > 0) {
        a = *reinterpret_cast<const float4*>(p.a + s.at);
        b = *reinterpret_cast<const float4*>(p.b + s.at);
    }
    s.step[0] = pairIf(s.count > 0, a.x, b.x);
    s.step[1] = pairIf(s.count > 1, a.y, b.y);
    s.step[2] = pairIf(s.count > 2, a.z, b.z);
    s.step[3] = pairIf(s.count > 3, a.w, b.w);
    return s;
}
__device__ __forceinline__ Pair all(const ChunkSteps& s) { return combined(combined(s.step[0], s.step[1]), combined(s.step[2], s.step[3])); }

__device__ __forceinline__ void storeStates(const ScanRows& p, const ChunkSteps& s, float before) {
    if (s.count <= 0)
        return;
    float4 h;
    h.x = applied(s.step[0], before);
    h.y = applied(s.step[1], h.x);
    h.z = applied(s.step[2], h.y);
    h.w = applied(s.step[3], h.z);
    *reinterpret_cast<float4*>(p.h + s.at) = h;
}

/// Lane i becomes all lanes up to it.
__device__ __forceinline__ Pair warpScan(Pair own) {
#pragma unroll
    for (int by = 1; by < 32; by *= 2) {
        const Pair earlier{__shfl_up_sync(wholeWarp, own.a, by), __shfl_up_sync(wholeWarp, own.b, by)};
        if (threadIdx.x % 32 >= by)
            own = combined(earlier, own);
    }
    return own;
}

/// Scans of chunkThreads pairs, a thread each.
struct BlockScan {
    Pair warp[chunkWarps];

    struct Result {
        Pair before, all; ///< of the threads before this one, of the block
    };
    __device__ Result operator()(Pair own) {
        const Pair upTo = warpScan(own);
        const Pair before = pairIf(threadIdx.x % 32 > 0, __shfl_up_sync(wholeWarp, upTo.a, 1), __shfl_up_sync(wholeWarp, upTo.b, 1));
        __syncthreads(); // a result before this one is read
        if (threadIdx.x % 32 == 31)
            warp[threadIdx.x / 32] = upTo;
        __syncthreads();
        Pair earlier{1, 0}, whole = warp[0];
#pragma unroll
        for (int w = 1; w < chunkWarps; ++w) {
            if (w == threadIdx.x / 32)
                earlier = whole;
            whole = combined(whole, warp[w]);
        }
        return {combined(earlier, before), whole};
    }
};

} // namespace

/// Grid channels · (chunks - 1): pairs [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_pairs(ScanRows p, Pair* pairs, int chunks) {
    __shared__ BlockScan scan;
    const int row = blockIdx.x / (chunks - 1), chunk = blockIdx.x % (chunks - 1);
    const Pair whole = scan(all(loadSteps(p, row, chunk))).all;
    if (threadIdx.x == 0)
        pairs[blockIdx.x] = whole;
}

/// Grid channels: the state behind each chunk but the last, states [channels, chunks - 1].
extern "C" __global__ void __launch_bounds__(256) scan_carry(ScanRows p, const Pair* pairs, float* states, int chunks) {
    __shared__ BlockScan scan;
    float state = p.before(blockIdx.x);
    for (int begin = 0; begin < chunks - 1; begin += chunkThreads) {
        const int chunk = begin + threadIdx.x;
        const long long at = (long long)blockIdx.x * (chunks - 1) + chunk;
        const Pair own = pairIf(chunk < chunks - 1, &pairs[at].a, &pairs[at].b);
        const BlockScan::Result scanned = scan(own);
        if (chunk < chunks - 1)
            states[at] = applied(own, applied(scanned.before, state));
        state = applied(scanned.all, state);
    }
}

/// Grid channels · chunks.
extern "C" __global__ void __launch_bounds__(256) scan_states(ScanRows p, const float* states, int chunks) {
    __shared__ BlockScan scan;
    const int row = blockIdx.x / chunks, chunk = blockIdx.x % chunks;
    const ChunkSteps own = loadSteps(p, row, chunk);
    const float before = chunk == 0 ? p.before(row) : states[(long long)row * (chunks - 1) + chunk - 1];
    storeStates(p, own, applied(scan(all(own)).before, before));
}

/// What chunks tell those behind them, [channels, chunks] each.
struct LookBack {
    int *tickets, *status;
    Pair* pairs;
    float* states;
};
namespace {
enum Status { untold, pairTold, stateTold };
}

extern "C" __global__ void __launch_bounds__(256) scan_reset(LookBack told, int chunks) {
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i == 0)
        *told.tickets = 0;
    if (i < chunks)
        told.status[i] = untold;
}

namespace {

/// What volatile reads and writes find is what others wrote before their fence.
__device__ __forceinline__ void publish(int* status, Status what) {
    __threadfence();
    *reinterpret_cast<volatile int*>(status) = what;
}
__device__ __forceinline__ int readStatus(const int* from) { return *reinterpret_cast<const volatile int*>(from); }
__device__ __forceinline__ float readState(const float* from) { return *reinterpret_cast<const volatile float*>(from); }
__device__ __forceinline__ Pair readPairIf(bool there, const Pair* from) {
    const volatile float* x = reinterpret_cast<const volatile float*>(from);
    float a = 1, b = 0;
    if (there)
        a = x[0], b = x[1];
    return {a, b};
}

/// The state behind chunk `last` (-1: before the first), by one warp. Lane i looks at chunk last - i of its row, whose first
/// chunk has number `first`.
__device__ __forceinline__ float lookBack(const LookBack& told, long long first, int last, float h0) {
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
    float state = from < 0 ? h0 : readState(told.states + first + from);
    for (int begin = from + 1; begin <= last; begin += 32) { // forward again, a chunk after the other
        const int count = last - begin + 1 < 32 ? last - begin + 1 : 32;
        const Pair own = readPairIf(lane < count, told.pairs + first + begin + lane);
        for (int i = 0; i < count; ++i)
            state = applied({__shfl_sync(wholeWarp, own.a, i), __shfl_sync(wholeWarp, own.b, i)}, state);
    }
    return state;
}

} // namespace

/// Grid channels · chunks; blocks take chunks in the order in which they begin, so that whoever is waited for runs.
extern "C" __global__ void __launch_bounds__(256) scan_look_back(ScanRows p, LookBack told, int chunks) {
    __shared__ BlockScan scan;
    __shared__ int ticket;
    __shared__ float stateBefore;
    if (threadIdx.x == 0)
        ticket = atomicAdd(told.tickets, 1);
    __syncthreads();
    const int row = ticket / chunks, chunk = ticket % chunks;
    const ChunkSteps own = loadSteps(p, row, chunk);
    const BlockScan::Result scanned = scan(all(own));
    if (threadIdx.x < 32) {
        const bool isLast = chunk == chunks - 1;
        if (threadIdx.x == 0 && !isLast && chunk > 0) {
            told.pairs[ticket] = scanned.all;
            publish(told.status + ticket, pairTold);
        }
        const float before = lookBack(told, ticket - chunk, chunk - 1, p.before(row));
        if (threadIdx.x == 0) {
            stateBefore = before;
            if (!isLast) {
                told.states[ticket] = applied(scanned.all, before);
                publish(told.status + ticket, stateTold);
            }
        }
    }
    __syncthreads();
    storeStates(p, own, applied(scanned.before, stateBefore));
}
