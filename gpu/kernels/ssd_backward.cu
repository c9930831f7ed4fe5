// Gradients of Mamba-2's SSD in f32 by chunks of 32 steps, as core/cpu/ssm/ssd_backward_chunked.cpp has them:
//
//   ssd_back_states   what each chunk adds to the state H behind it and to the gradient G of the one before it
//   ssd_back_pass     these passed on: H before and G behind each chunk, and the gradient of the initial state
//   ssd_back_chunks   dX and da of a chunk and a head, and the head's parts of dB and dC
//   ssd_back_sums     dB and dC: parts summed over the heads of a group
//
// Blocks of 256 threads; lanes stand beside each other in a row, and a warp has every eighth row of 32.
namespace {

constexpr int side = 32, warps = 8, rowsOfWarp = side / warps;

/// x, dy and dx [batch, length, heads, headDim], b and c [batch, length, groups, stateDim], da [batch, length, heads],
/// decay [batch · heads, length] (factors, by ssd_decays), initial and dinitial [batch · heads, headDim, stateDim].
struct SsdBackProblem {
    const float *x, *b, *c, *dy, *decay;
    const float* initial; ///< null: nothing
    float *dx, *da;
    float* dinitial;            ///< null where initial is
    float *states, *gradients;  ///< [batch · heads, chunks, headDim, stateDim]
    float* factors;             ///< [batch · heads, chunks]: what a chunk leaves of the state before it
    float* parts;               ///< [2, batch · heads, length, stateDim]: of dB and of dC
    int length, heads, groups, headDim, stateDim, chunks;
};

using Tile = float[side][side + 1];

struct Chunk {
    int head, begin, count;
    long long slot; ///< of its states

    __device__ Chunk(const SsdBackProblem& p, int chunk, int h)
        : head(h), begin(chunk * side), count(p.length - begin < side ? p.length - begin : side), slot((long long)h * p.chunks + chunk) {}
    __device__ long long step(const SsdBackProblem& p) const { return (long long)(head / p.heads) * p.length + begin; }
    __device__ long long ofHead(const SsdBackProblem& p) const { return step(p) * p.heads + head % p.heads; }
    __device__ long long ofGroup(const SsdBackProblem& p) const { return step(p) * p.groups + head % p.heads / (p.heads / p.groups); }
};

__device__ __forceinline__ int laneOf() { return threadIdx.x % side; }
__device__ __forceinline__ int warpOf() { return threadIdx.x / side; }

/// Rows `stride` apart, zeros beyond.
__device__ __forceinline__ void load(Tile& tile, const float* from, long long stride, int rows, int columns) {
    for (int i = warpOf(); i < side; i += warps)
        tile[i][laneOf()] = i < rows && laneOf() < columns ? from[i * stride + laneOf()] : 0;
}

/// Of the steps of a chunk: decays, their products up to a step, and behind it. By the first warp.
struct Fading {
    float decay[side], towards[side], from[side];

    __device__ void fill(const SsdBackProblem& p, const Chunk& k) {
        if (warpOf() > 0)
            return;
        const int lane = laneOf();
        decay[lane] = lane < k.count ? p.decay[(long long)k.head * p.length + k.begin + lane] : 1;
        __syncwarp();
        float up = 1, behind = 1;
        for (int i = 0; i < side; ++i) {
            up *= i <= lane ? decay[i] : 1;
            behind *= i > lane ? decay[i] : 1;
        }
        towards[lane] = up;
        from[lane] = behind;
    }
};

__device__ __forceinline__ float warpSum(float x) {
    for (int step = side / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

/// Σ of a tile's rows of numbers of P times the other's of N, weighed, to a state's tile.
__device__ void outer(const Tile& rows, const Tile& shared, const float* weights, int count, float* to, int stride, int headDims, int stateDims) {
    for (int row = warpOf(); row < headDims; row += warps) {
        float sum = 0;
        for (int j = 0; j < count; ++j)
            sum += weights[j] * rows[j][row] * shared[j][laneOf()];
        if (laneOf() < stateDims)
            to[(long long)row * stride + laneOf()] = sum;
    }
}

} // namespace

/// Grid: (chunks, heads, tiles of 32 × 32 numbers of a state).
extern "C" __global__ void __launch_bounds__(256) ssd_back_states(SsdBackProblem p) {
    __shared__ Tile rows, shared;
    __shared__ Fading fading;
    const Chunk k(p, blockIdx.x, blockIdx.y);
    const int across = (p.stateDim + side - 1) / side, firstN = blockIdx.z % across * side, firstP = blockIdx.z / across * side;
    const int headDims = min(side, p.headDim - firstP), stateDims = min(side, p.stateDim - firstN);
    const long long atHead = k.ofHead(p) * p.headDim + firstP, atGroup = k.ofGroup(p) * p.stateDim + firstN;
    const long long to = (k.slot * p.headDim + firstP) * p.stateDim + firstN;
    fading.fill(p, k);
    load(rows, p.x + atHead, p.heads * p.headDim, k.count, headDims);
    load(shared, p.b + atGroup, p.groups * p.stateDim, k.count, stateDims);
    __syncthreads();
    outer(rows, shared, fading.from, k.count, p.states + to, p.stateDim, headDims, stateDims);
    if (blockIdx.z == 0 && threadIdx.x == 0)
        p.factors[k.slot] = fading.towards[side - 1];
    __syncthreads();
    load(rows, p.dy + atHead, p.heads * p.headDim, k.count, headDims);
    load(shared, p.c + atGroup, p.groups * p.stateDim, k.count, stateDims);
    __syncthreads();
    outer(rows, shared, fading.towards, k.count, p.gradients + to, p.stateDim, headDims, stateDims);
}

/// Grid: (⌈numbers of a state / 256⌉, heads).
extern "C" __global__ void __launch_bounds__(256) ssd_back_pass(SsdBackProblem p) {
    const long long size = (long long)p.headDim * p.stateDim, i = blockIdx.x * 256 + threadIdx.x;
    if (i >= size)
        return;
    const long long first = (long long)blockIdx.y * p.chunks;
    const auto pass = [&](float* at, float sum, int chunk) {
        float& number = at[(first + chunk) * size + i];
        const float next = p.factors[first + chunk] * sum + number;
        number = sum;
        return next;
    };
    float sum = p.initial ? p.initial[blockIdx.y * size + i] : 0;
    for (int chunk = 0; chunk < p.chunks; ++chunk)
        sum = pass(p.states, sum, chunk);
    sum = 0;
    for (int chunk = p.chunks - 1; chunk >= 0; --chunk)
        sum = pass(p.gradients, sum, chunk);
    if (p.initial)
        p.dinitial[blockIdx.y * size + i] = sum;
}

/// Grid: (chunks, heads). What lies above the diagonal is never multiplied: 0 · NaN would be seen.
extern "C" __global__ void __launch_bounds__(256) ssd_back_chunks(SsdBackProblem p) {
    __shared__ Tile first, second, state, gradient; ///< what goes through: X or B, dY or C, and tiles of H and G [P, N]
    __shared__ Tile scores, weights, pairs;         ///< S ∘ L, W ∘ L, S ∘ L ∘ W
    __shared__ Fading fading;
    __shared__ float ofBefore[side], ofBehind[side], ofBoth[warps]; ///< what rows add to the loss with H, with G, and these
    const Chunk k(p, blockIdx.x, blockIdx.y);
    const int lane = laneOf(), warp = warpOf();
    const bool begins = blockIdx.x > 0 || p.initial, goesOn = blockIdx.x + 1 < p.chunks;
    const long long headStride = (long long)p.heads * p.headDim, groupStride = (long long)p.groups * p.stateDim;
    const long long atHead = k.ofHead(p) * p.headDim, atGroup = k.ofGroup(p) * p.stateDim;
    const float *h = p.states + k.slot * p.headDim * p.stateDim, *g = p.gradients + k.slot * p.headDim * p.stateDim;
    const auto loadShared = [&](Tile& tile, const float* from, int n) { load(tile, from + atGroup + n, groupStride, k.count, p.stateDim - n); };
    const auto loadRows = [&](Tile& tile, const float* from, int d) { load(tile, from + atHead + d, headStride, k.count, p.headDim - d); };
    const auto loadState = [&](Tile& tile, const float* from, int d, int n) {
        load(tile, from + (long long)d * p.stateDim + n, p.stateDim, p.headDim - d, p.stateDim - n);
    };

    fading.fill(p, k);
    if (warp == 0) {
        float product = 1;
        for (int i = 0; i < side; ++i) {
            product *= i > lane ? fading.decay[i] : 1;
            pairs[i][lane] = product;
        }
    }
    float score[rowsOfWarp] = {}, weight[rowsOfWarp] = {};
    const auto addProducts = [&](float(&sums)[rowsOfWarp]) {
        __syncthreads();
#pragma unroll
        for (int r = 0; r < rowsOfWarp; ++r)
            for (int i = 0; i < side; ++i)
                sums[r] += second[warp + warps * r][i] * first[lane][i];
        __syncthreads();
    };
    for (int n = 0; n < p.stateDim; n += side) {
        loadShared(first, p.b, n);
        loadShared(second, p.c, n);
        addProducts(score);
    }
    for (int d = 0; d < p.headDim; d += side) {
        loadRows(first, p.x, d);
        loadRows(second, p.dy, d);
        addProducts(weight);
    }
#pragma unroll
    for (int r = 0; r < rowsOfWarp; ++r) {
        const int row = warp + warps * r;
        const float fades = pairs[row][lane], faded = score[r] * fades;
        scores[row][lane] = lane <= row ? faded : 0;
        weights[row][lane] = lane <= row ? weight[r] * fades : 0;
        pairs[row][lane] = lane <= row ? faded * weight[r] : 0;
    }
    __syncthreads();

    for (int d = 0; d < p.headDim; d += side) {
        float dx[rowsOfWarp] = {};
        for (int n = 0; goesOn && n < p.stateDim; n += side) {
            loadShared(first, p.b, n);
            loadState(gradient, g, d, n);
            __syncthreads();
#pragma unroll
            for (int r = 0; r < rowsOfWarp; ++r)
                for (int i = 0; i < side; ++i)
                    dx[r] += first[warp + warps * r][i] * gradient[lane][i];
            __syncthreads();
        }
        loadRows(second, p.dy, d);
        __syncthreads();
#pragma unroll
        for (int r = 0; r < rowsOfWarp; ++r) {
            const int row = warp + warps * r;
            dx[r] *= goesOn ? fading.from[row] : 0;
            for (int i = row; i < k.count; ++i)
                dx[r] += scores[i][row] * second[i][lane];
            if (row < k.count && d + lane < p.headDim)
                p.dx[atHead + d + row * headStride + lane] = dx[r];
        }
        __syncthreads();
    }

    float before[rowsOfWarp] = {}, behind[rowsOfWarp] = {}, both = 0;
    for (int n = 0; n < p.stateDim; n += side) {
        float db[rowsOfWarp] = {}, dc[rowsOfWarp] = {};
        for (int d = 0; d < p.headDim; d += side) {
            if (goesOn) {
                loadRows(first, p.x, d);
                loadState(gradient, g, d, n);
            }
            if (begins) {
                loadRows(second, p.dy, d);
                loadState(state, h, d, n);
            }
            __syncthreads();
#pragma unroll
            for (int r = 0; r < rowsOfWarp; ++r) {
                const int row = warp + warps * r;
                for (int i = 0; goesOn && i < side; ++i)
                    db[r] += first[row][i] * gradient[i][lane];
                for (int i = 0; begins && i < side; ++i)
                    dc[r] += second[row][i] * state[i][lane];
                both += begins && goesOn ? state[row][lane] * gradient[row][lane] : 0;
            }
            __syncthreads();
        }
        loadShared(first, p.b, n);
        loadShared(second, p.c, n);
        __syncthreads();
#pragma unroll
        for (int r = 0; r < rowsOfWarp; ++r) {
            const int row = warp + warps * r;
            db[r] *= goesOn ? fading.from[row] : 0;
            dc[r] *= begins ? fading.towards[row] : 0;
            behind[r] += goesOn ? first[row][lane] * db[r] : 0;
            before[r] += begins ? second[row][lane] * dc[r] : 0;
            for (int i = row; i < k.count; ++i)
                db[r] += weights[i][row] * second[i][lane];
            for (int i = 0; i <= row; ++i)
                dc[r] += weights[row][i] * first[i][lane];
            if (row < k.count && n + lane < p.stateDim) {
                const long long at = ((long long)k.head * p.length + k.begin + row) * p.stateDim + n + lane;
                p.parts[at] = db[r];
                p.parts[(long long)gridDim.y * p.length * p.stateDim + at] = dc[r];
            }
        }
        __syncthreads();
    }
#pragma unroll

    for (int r = 0; r < rowsOfWarp; ++r) {
        const float sumBefore = warpSum(before[r]), sumBehind = warpSum(behind[r]);
        if (lane == 0) {
            ofBefore[warp + warps * r] = sumBefore;
            ofBehind[warp + warps * r] = sumBehind;
        }
    }
    both = warpSum(both);
    if (lane == 0)
        ofBoth[warp] = both;
    __syncthreads();
    for (int row = warp; row < k.count; row += warps) { // all pairs around the step
        float sum = lane < row ? ofBehind[lane] : ofBefore[lane];
        if (begins && goesOn && lane < warps)
            sum += fading.towards[side - 1] * ofBoth[lane];
        for (int i = row; i < k.count; ++i)
            sum += lane < row ? pairs[i][lane] : 0;
        sum = warpSum(sum);
        if (lane == 0)
            p.da[k.ofHead(p) + (long long)row * p.heads] = fading.decay[row] == 0 ? 0 : sum;
    }
}

/// Grid: (⌈numbers of a group / 256⌉, batch · groups, 2): dB, then dC.
extern "C" __global__ void __launch_bounds__(256) ssd_back_sums(const float* parts, float* db, float* dc, int length, int heads, int groups, int stateDim) {
    const long long size = (long long)length * stateDim, i = (long long)blockIdx.x * 256 + threadIdx.x;
    if (i >= size)
        return;
    const int perGroup = heads / groups;
    const long long allHeads = (long long)gridDim.y * perGroup, step = i / stateDim, batch = blockIdx.y / groups, group = blockIdx.y % groups;
    const float* from = parts + (blockIdx.z * allHeads + blockIdx.y * (long long)perGroup) * size + i;
    float sum = 0;
    for (int head = 0; head < perGroup; ++head)
        sum += from[head * size];
    (blockIdx.z == 0 ? db : dc)[((batch * length + step) * groups + group) * stateDim + i % stateDim] = sum;
}
