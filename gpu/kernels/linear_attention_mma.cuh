// Causal linear attention by chunks on tensor cores, for f16 and bf16 (sums in f32), rules add and retention: the two
// kernels of linear_attention_chunked.cu by mma.sync. A block of four warps holds 64 rows, sixteen a warp; features and
// values come in tiles of 64 columns, as many as there are.
//
//   linear_states_mma   state += (decayed K)ᵀ V, in registers; what chunks begin with is kept in 16 bits, as the next
//                       product takes it.
//   linear_outputs_mma  scores stay in registers: rounded to 16 bits they are laid out as the first operand of the product
//                       with V.
//
// Decays are multiplied up, as in linear_attention_chunked.cu, by scans over 16 or 32 steps. p.headDim and p.valueDim are
// multiples of 8, p.features is what there is of them.
#pragma once

#include "attention_mma.cuh"
#include "linear_attention.cuh"

namespace {

constexpr int tileColumns = 64, tileBytes = 64 * tileColumns * 2; ///< of 64 rows

__device__ __forceinline__ float2 unpack(unsigned pair, __half) { return __half22float2(*reinterpret_cast<const __half2*>(&pair)); }
__device__ __forceinline__ float2 unpack(unsigned pair, __nv_bfloat16) { return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&pair)); }

/// Columns [column, column + 64) of `count` rows of `width` numbers, a multiple of 8 as `stride` is, to a tile of `size`
/// rows; zeros outside.
template <class T>
__device__ void copyTile(unsigned to, const T* from, int size, int count, int column, int width, int stride) {
#pragma unroll 4
    for (int i = threadIdx.x; i < size * 8; i += threads) {
        const int row = i / 8, chunk = i % 8;
        const bool valid = row < count && column + chunk * 8 < width;
        copyAsync(to + Swizzle<tileColumns>::at(row, chunk), valid ? from + (long long)row * stride + column + chunk * 8 : from, valid);
    }
}

/// Puts features in the place of numbers, each row times its factor if there are any; zeros from row `count` and number
/// `left` on.
template <class Problem>
__device__ void mapTile(unsigned char* tile, int size, int count, int left, const Problem& p, const float* factors) {
    using T = typename Problem::Number;
    if (p.map == Identity && p.root == 1 && !factors)
        return;
#pragma unroll 1
    for (int i = threadIdx.x; i < size * 32; i += threads) { // a warp a row, two numbers a lane
        const int row = i / 32, column = i % 32 * 2;
        unsigned& pair = *reinterpret_cast<unsigned*>(tile + Swizzle<tileColumns>::at(row, column / 8) + column % 8 * 2);
        const float2 x = unpack(pair, T());
        const float factor = factors ? factors[row] : 1;
        const float low = row < count && column < left ? mapped(p.map, p.root * x.x) * factor : 0;
        const float high = row < count && column + 1 < left ? mapped(p.map, p.root * x.y) * factor : 0;
        pair = pack<T>(low, high);
    }
}

/// Products of the gates of 32 steps, a lane each: of those behind this one, and of all.
__device__ __forceinline__ float productBehind(float gate, float& all) {
    const int lane = threadIdx.x % 32;
    float product = gate; // from this lane on
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        const float other = __shfl_down_sync(0xffffffffu, product, step);
        product *= lane + step < 32 ? other : 1;
    }
    all = __shfl_sync(0xffffffffu, product, 0);
    const float behind = __shfl_down_sync(0xffffffffu, product, 1);
    return lane < 31 ? behind : 1;
}

/// sum[16×64] += a[16×16] · rows of a tile that begin at `row`.
template <class T>
__device__ __forceinline__ void addRows(float (&sum)[8][4], const unsigned (&a)[4], unsigned tile, int row) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < 8; n += 2) {
        unsigned b[4];
        loadTransposed(b, tile + Swizzle<tileColumns>::at(row + lane % 16, n + lane / 16));
        multiplyAdd<T>(sum[n], a, b[0], b[1]);
        multiplyAdd<T>(sum[n + 1], a, b[2], b[3]);
    }
}

/// A warp's 16 × 64 sums, rounded, to rows of memory of `width` numbers by way of its own 16 rows of `tile`.
template <class T>
__device__ void storeRows(const float (&sum)[8][4], const float (&divisor)[2], unsigned char* tile, T* to, int count, int column, int width, int stride) {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, first = threadIdx.x / 32 * 16;
    __syncwarp();
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int n = 0; n < 8; ++n)
            *reinterpret_cast<unsigned*>(tile + Swizzle<tileColumns>::at(first + g + 8 * half, n) + 4 * t) =
                pack<T>(sum[n][2 * half] / divisor[half], sum[n][2 * half + 1] / divisor[half]);
    __syncwarp();
#pragma unroll
    for (int i = lane; i < 16 * 8; i += 32) {
        const int row = first + i / 8, chunk = i % 8;
        if (row < count && column + chunk * 8 < width)
            *reinterpret_cast<uint4*>(to + (long long)row * stride + column + chunk * 8) = *reinterpret_cast<const uint4*>(tile + Swizzle<tileColumns>::at(row, chunk));
    }
}

template <class T>
constexpr unsigned onePair = 0x3c003c00;
template <>
constexpr unsigned onePair<__nv_bfloat16> = 0x3f803f80;

/// Dynamic shared memory: two tiles each of K and V, one to write states from.
template <class Problem, class T = typename Problem::Number>
__device__ void statesMma(const Problem& p, T* states, float* sums, int chunk) {
    __shared__ float factor[64], half[2];
    const int columnTiles = (p.valueDim + 63) / 64, head = blockIdx.y, warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int firstFeature = blockIdx.x / columnTiles * 64, firstColumn = blockIdx.x % columnTiles * 64;
    const int chunks = (p.keyLen + chunk - 1) / chunk;
    const unsigned base = static_cast<unsigned>(__cvta_generic_to_shared(dynamicShared));
    const T *kHead = p.keys(head), *vHead = p.values(head);
    const auto fetch = [&](int buffer, int begin) {
        copyTile(base + buffer * 2 * tileBytes, kHead + (long long)begin * p.keyStride(), 64, p.keyLen - begin, firstFeature, p.headDim, p.keyStride());
        copyTile(base + (buffer * 2 + 1) * tileBytes, vHead + (long long)begin * p.valueStride(), 64, p.keyLen - begin, firstColumn, p.valueDim, p.valueStride());
        commitCopies();
    };
    float s[8][4] = {}, z[4] = {};
    if (const T* initial = p.before(head))
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                if (const int feature = firstFeature + warp * 16 + g + 8 * half, column = firstColumn + n * 8 + 2 * t; feature < p.features && column < p.valueDim) {
                    const float2 pair = unpack(*reinterpret_cast<const unsigned*>(initial + (long long)feature * p.valueDim + column), T());
                    s[n][2 * half] = pair.x;
                    s[n][2 * half + 1] = pair.y;
                }
    const auto write = [&](long long at) { // the state before a chunk
        constexpr float one[2] = {1, 1};
        storeRows(s, one, dynamicShared + 4 * tileBytes, states + (at * p.features + firstFeature) * p.valueDim, p.features - firstFeature, firstColumn, p.valueDim, p.valueDim);
        if (sums && firstColumn == 0 && t == 0)
#pragma unroll
            for (int i = 0; i < 2; ++i)
                if (const int feature = firstFeature + warp * 16 + g + 8 * i; feature < p.features)
                    sums[at * p.features + feature] = z[2 * i];
    };
    if (p.keyLen > 0)
        fetch(0, 0);
    for (int begin = 0, buffer = 0; begin < p.keyLen; begin += 64, buffer ^= 1) {
        if (p.causal && begin > 0 && begin % chunk == 0)
            write((long long)head * (chunks - 1) + begin / chunk - 1);
        const int count = p.keyLen - begin < 64 ? p.keyLen - begin : 64;
        if (begin + 64 < p.keyLen) {
            fetch(buffer ^ 1, begin + 64);
            waitCopies<1>();
        } else {
            waitCopies<0>();
        }
        if (p.decay && warp < 2) {
            float all;
            const float behind = productBehind(threadIdx.x < count ? p.decay[(long long)head * p.keyLen + begin + threadIdx.x] : 1, all);
            factor[threadIdx.x] = behind;
            if (lane == 0)
                half[warp] = all;
        }
        __syncthreads();
        if (p.decay) {
            if (warp == 0)
                factor[lane] *= half[1];
            const float all = half[0] * half[1];
#pragma unroll
            for (int n = 0; n < 8; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    s[n][i] *= all;
            z[0] *= all;
            z[2] *= all;
            __syncthreads();
        }
        mapTile(dynamicShared + buffer * 2 * tileBytes, 64, count, p.features - firstFeature, p, p.decay ? factor : nullptr);
        __syncthreads();
        const unsigned k = base + buffer * 2 * tileBytes, v = k + tileBytes;
        if (firstFeature + warp * 16 < p.features)
#pragma unroll
            for (int step = 0; step < 4; ++step) {
                unsigned a[4]; // 16 features × 16 steps
                loadTransposed(a, k + Swizzle<tileColumns>::at(step * 16 + lane / 16 * 8 + lane % 8, warp * 2 + lane / 8 % 2));
                addRows<T>(s, a, v, step * 16);
                multiplyAdd<T>(z, a, onePair<T>, onePair<T>);
            }
        __syncthreads(); // the buffer is free for the tile after next
    }
    if (!p.causal)
        write(head);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const int feature = firstFeature + warp * 16 + g + 8 * i;
        if (feature >= p.features)
            continue;
        if (p.z && firstColumn == 0 && t == 0)
            p.z[(long long)head * p.features + feature] = z[2 * i];
        float* state = p.state + ((long long)head * p.features + feature) * p.valueDim + firstColumn;
#pragma unroll
        for (int n = 0; n < 8; ++n)
            if (p.state && firstColumn + n * 8 < p.valueDim)
                *reinterpret_cast<float2*>(state + n * 8 + 2 * t) = make_float2(s[n][2 * i], s[n][2 * i + 1]);
    }
}

/// What the decays of a chunk's steps come to. Of each 16 steps: up to and with a step, and behind it; of the block's own
/// rows, the products from each key of the same 16 steps on.
template <int chunk>
struct Decays {
    float gate[chunk], upTo[chunk], behind[chunk];
    float own[64][24]; // rows of 24: a fragment's eight rows lie in different banks
};

template <int chunk>
__device__ void findDecays(Decays<chunk>& d, const float* decay, int before, int keys) {
    const int lane = threadIdx.x % 16;
    if (threadIdx.x < chunk) {
        const float gate = threadIdx.x < keys ? decay[threadIdx.x] : 1;
        d.gate[threadIdx.x] = gate;
        float up = gate, down = gate;
#pragma unroll
        for (int step = 1; step < 16; step *= 2) {
            const float left = __shfl_up_sync(0xffffffffu, up, step, 16), right = __shfl_down_sync(0xffffffffu, down, step, 16);
            up *= lane >= step ? left : 1;
            down *= lane + step < 16 ? right : 1;
        }
        const float next = __shfl_down_sync(0xffffffffu, down, 1, 16);
        d.upTo[threadIdx.x] = up;
        d.behind[threadIdx.x] = lane < 15 ? next : 1;
    }
    __syncthreads();
    if (threadIdx.x % 32 < 16) { // a warp's own 16 rows, a lane a key
        const int first = threadIdx.x / 32 * 16;
        float product = 1;
#pragma unroll
        for (int i = 0; i < 16; ++i) {
            product *= i > lane ? d.gate[before + first + i] : 1;
            d.own[first + i][lane] = product;
        }
    }
}

/// Dynamic shared memory: tiles of Q and of the state, `chunk` rows of K and of V, and Decays<chunk>.
template <int chunk, class Problem, class T = typename Problem::Number>
__device__ void outputsMma(const Problem& p, const T* states, const float* sums) {
    constexpr int keyTiles = chunk / 8, keySteps = chunk / 16, kvBytes = chunk * tileColumns * 2;
    __shared__ float zs[64];
    unsigned char *qTile = dynamicShared, *hTile = qTile + tileBytes, *kTile = hTile + tileBytes, *vTile = kTile + kvBytes;
    auto& decays = *reinterpret_cast<Decays<chunk>*>(vTile + kvBytes);
    const unsigned q = static_cast<unsigned>(__cvta_generic_to_shared(qTile)), h = q + tileBytes, k = h + tileBytes, v = k + kvBytes;
    const int head = blockIdx.y, first = blockIdx.x * rows, count = p.queryLen - first < rows ? p.queryLen - first : rows;
    const int begin = first / chunk * chunk, before = first - begin;
    const int keys = p.causal ? before + count : 0, index = p.causal ? begin / chunk - 1 : 0, indices = p.causal ? (p.keyLen + chunk - 1) / chunk - 1 : 1;
    const T* initial = p.before(head);
    const bool reads = !p.causal || begin > 0 || initial, oneTile = p.features <= 64;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int ownStep = before / 16 + warp; // which 16 of the chunk's steps are this warp's rows
    const T* qHead = p.queries(head) + (long long)first * p.keyStride();
    const T *kHead = p.keys(head) + (long long)begin * p.keyStride(), *vHead = p.values(head) + (long long)begin * p.valueStride();
    const T* hHead = begin == 0 && initial ? initial : states + ((long long)head * indices + index) * p.features * p.valueDim;
    const float* zHead = sums + ((long long)head * indices + index) * p.features;

    if (p.decay)
        findDecays(decays, p.decay + (long long)head * p.keyLen + begin, before, keys);

    float s[keyTiles][4] = {};
    for (int f0 = 0; p.causal && f0 < p.features; f0 += 64) {
        if (f0 > 0)
            __syncthreads();
        copyTile(q, qHead, rows, count, f0, p.headDim, p.keyStride());
        copyTile(k, kHead, before + rows, keys, f0, p.headDim, p.keyStride());
        commitCopies();
        if (f0 == 0) { // the first values come while the scores are worked out
            copyTile(v, vHead, before + rows, keys, 0, p.valueDim, p.valueStride());
            if (oneTile && reads)
                copyTile(h, hHead, 64, p.features, 0, p.valueDim, p.valueDim);
            commitCopies();
            waitCopies<1>();
        } else {
            waitCopies<0>();
        }
        __syncthreads();
        mapTile(qTile, rows, count, p.features - f0, p, nullptr);
        mapTile(kTile, before + rows, keys, p.features - f0, p, nullptr);
        __syncthreads();
#pragma unroll
        for (int step = 0; step < 4; ++step) {
            if (f0 + step * 16 >= p.features)
                break;
            unsigned a[4];
            loadMatrices(a, q + Swizzle<tileColumns>::at(warp * 16 + lane % 16, step * 2 + lane / 16));
#pragma unroll
            for (int n = 0; n < keySteps; ++n)
                if (n <= ownStep) {
                    unsigned b[4];
                    loadMatrices(b, k + Swizzle<tileColumns>::at(n * 16 + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
                    multiplyAdd<T>(s[2 * n], a, b[0], b[1]);
                    multiplyAdd<T>(s[2 * n + 1], a, b[2], b[3]);
                }
        }
    }

    // Decays and the mask: behind it there is nothing, whatever the score.
    float sinceBegin[2] = {1, 1}, ones[2] = {};
    if (p.decay) {
        float upTo[2], between = 1;
#pragma unroll
        for (int i = 0; i < 2; ++i)
            upTo[i] = decays.upTo[before + warp * 16 + g + 8 * i];
#pragma unroll
        for (int n = keySteps - 1; n >= 0; --n)
            if (n < ownStep) {
#pragma unroll
                for (int part = 0; part < 2; ++part) {
                    const float2 behind = *reinterpret_cast<const float2*>(&decays.behind[n * 16 + part * 8 + 2 * t]);
#pragma unroll
                    for (int i = 0; i < 4; ++i)
                        s[2 * n + part][i] *= upTo[i / 2] * (between * (i % 2 ? behind.y : behind.x));
                }
                between *= decays.upTo[n * 16 + 15];
            } else if (n == ownStep) {
#pragma unroll
                for (int part = 0; part < 2; ++part)
#pragma unroll
                    for (int half = 0; half < 2; ++half) {
                        const float2 own = *reinterpret_cast<const float2*>(&decays.own[warp * 16 + g + 8 * half][part * 8 + 2 * t]);
                        s[2 * n + part][2 * half] *= own.x;
                        s[2 * n + part][2 * half + 1] *= own.y;
                    }
            }
#pragma unroll
        for (int i = 0; i < 2; ++i)
            sinceBegin[i] = upTo[i] * between;
    }
    unsigned weight[keySteps][4], own[4] = {}; // own: of the keys that are the rows' own steps
#pragma unroll
    for (int n = 0; n < keySteps; ++n) {
        if (n == ownStep)
#pragma unroll
            for (int part = 0; part < 2; ++part)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    if (part * 8 + 2 * t + i % 2 > g + 8 * (i / 2))
                        s[2 * n + part][i] = 0;
#pragma unroll
        for (int part = 0; part < 2; ++part)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                ones[i / 2] += s[2 * n + part][i];
#pragma unroll
        for (int i = 0; i < 4; ++i)
            weight[n][i] = pack<T>(s[2 * n + i / 2][2 * (i % 2)], s[2 * n + i / 2][2 * (i % 2) + 1]);
#pragma unroll
        for (int i = 0; i < 4; ++i)
            own[i] = n == ownStep ? weight[n][i] : own[i];
    }

    for (int column = 0; column < p.valueDim; column += 64) {
        float o[8][4] = {}, fromState[2] = {};
        if (column > 0 || !p.causal) {
            __syncthreads();
            copyTile(v, vHead, before + rows, keys, column, p.valueDim, p.valueStride());
            if (oneTile && reads)
                copyTile(h, hHead, 64, p.features, column, p.valueDim, p.valueDim);
            if (oneTile && !p.causal && column == 0)
                copyTile(q, qHead, rows, count, 0, p.headDim, p.keyStride());
            commitCopies();
        }
        for (int f0 = 0; reads && f0 < p.features; f0 += 64) {
            const bool comesNow = !oneTile, normaliser = p.normalised && column == 0;
            if (comesNow) {
                __syncthreads();
                copyTile(q, qHead, rows, count, f0, p.headDim, p.keyStride());
                copyTile(h, hHead + (long long)f0 * p.valueDim, 64, p.features - f0, column, p.valueDim, p.valueDim);
                commitCopies();
            }
            if (normaliser && threadIdx.x < 64)
                zs[threadIdx.x] = f0 + threadIdx.x < p.features ? zHead[f0 + threadIdx.x] : 0;
            waitCopies<0>();
            __syncthreads();
            if (comesNow || (!p.causal && column == 0)) {
                mapTile(qTile, rows, count, p.features - f0, p, nullptr);
                __syncthreads();
            }
#pragma unroll
            for (int step = 0; step < 4; ++step) {
                if (f0 + step * 16 >= p.features)
                    break;
                unsigned a[4];
                loadMatrices(a, q + Swizzle<tileColumns>::at(warp * 16 + lane % 16, step * 2 + lane / 16));
                addRows<T>(o, a, h, step * 16);
                if (normaliser)
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        const float2 x = unpack(a[i], T()), z = *reinterpret_cast<const float2*>(&zs[step * 16 + i / 2 * 8 + 2 * t]);
                        fromState[i % 2] += x.x * z.x + x.y * z.y;
                    }
            }
        }
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                o[n][i] *= sinceBegin[i / 2];
#pragma unroll
        for (int i = 0; i < 2; ++i)
            ones[i] += sinceBegin[i] * fromState[i];
        if (!reads) {
            waitCopies<0>();
            __syncthreads();
        }
#pragma unroll
        for (int n = 0; n < keySteps; ++n)
            if (n < ownStep && p.causal)
                addRows<T>(o, weight[n], v, n * 16);
        // Where rows see different keys, a weight of 0 times a NaN would be one: then each row has a product of its own.
        unsigned carry = 0;
        for (int i = lane; p.causal && i < 16 * 8; i += 32) {
            const uint4 x = *reinterpret_cast<const uint4*>(vTile + Swizzle<tileColumns>::at(ownStep * 16 + i / 8, i % 8));
            carry |= ((x.x & 0x7fff7fff) + exponentOne<T>) | ((x.y & 0x7fff7fff) + exponentOne<T>) | ((x.z & 0x7fff7fff) + exponentOne<T>) | ((x.w & 0x7fff7fff) + exponentOne<T>);
        }
        const bool rowByRow = __any_sync(0xffffffffu, (carry & 0x80008000) != 0);
        if (p.causal && !rowByRow)
            addRows<T>(o, own, v, ownStep * 16);
#pragma unroll 1
        for (int row = 0; p.causal && rowByRow && row < 16; ++row) {
            const unsigned values = __shfl_sync(0xffffffffu, v, row); // as in flash2Mma: kept addresses cost registers
#pragma unroll
            for (int n = 0; n < 8; n += 2) {
                unsigned b[4];
                loadTransposed(b, values + Swizzle<tileColumns>::at(ownStep * 16 + lane % 16, n + lane / 16));
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    b[i] = seenOf(b[i], i % 2 * 8 + 2 * t, row + 1);
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float c[4] = {o[n + i][0], o[n + i][1], o[n + i][2], o[n + i][3]};
                    multiplyAdd<T>(c, own, b[2 * i], b[2 * i + 1]);
#pragma unroll
                    for (int e = 0; e < 4; ++e)
                        o[n + i][e] = g + e / 2 * 8 == row ? c[e] : o[n + i][e];
                }
            }
        }
        if (column == 0) {
            ones[0] = p.normalised ? groupSum<4>(ones[0]) : 1;
            ones[1] = p.normalised ? groupSum<4>(ones[1]) : 1;
        }
        storeRows(o, ones, kTile, p.outputs(head) + (long long)first * p.valueStride(), count, column, p.valueDim, p.valueStride());
    }
}

} // namespace

