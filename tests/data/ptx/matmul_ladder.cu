// C = A · B in f32, six times: what every course on GPUs teaches, one step a kernel. A is rows × inner, B inner ×
// columns, all row-major and multiples of the tiles.
// Compiled to matmul_ladder.ptx by: nvcc -std=c++17 -arch=sm_80 -ptx matmul_ladder.cu

/// One thread an element; the lanes of a warp lie in a column of C, so that each reads another row of A.
extern "C" __global__ void naive(const float* a, const float* b, float* c, int columns, int inner) {
    const int row = blockIdx.y * 32 + threadIdx.x, column = blockIdx.x * 32 + threadIdx.y;
    float sum = 0;
    for (int k = 0; k < inner; ++k)
        sum += a[row * inner + k] * b[k * columns + column];
    c[row * columns + column] = sum;
}

/// The lanes of a warp lie in a row of C: one element of A for all, consecutive ones of B.
extern "C" __global__ void coalesced(const float* a, const float* b, float* c, int columns, int inner) {
    const int row = blockIdx.y * 32 + threadIdx.y, column = blockIdx.x * 32 + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < inner; ++k)
        sum += a[row * inner + k] * b[k * columns + column];
    c[row * columns + column] = sum;
}

/// Tiles of 32 × 32 go through shared memory.
extern "C" __global__ void sharedTiles(const float* a, const float* b, float* c, int columns, int inner) {
    constexpr int tile = 32;
    __shared__ float as[tile][tile], bs[tile][tile];
    const int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * tile + y, column = blockIdx.x * tile + x;
    float sum = 0;
    for (int begin = 0; begin < inner; begin += tile) {
        as[y][x] = a[row * inner + begin + x];
        bs[y][x] = b[(begin + y) * columns + column];
        __syncthreads();
        for (int k = 0; k < tile; ++k)
            sum += as[y][k] * bs[k][x];
        __syncthreads();
    }
    c[row * columns + column] = sum;
}

/// Eight elements of a column a thread: an element of B is read once for all of them. 512 threads, 64 × 64 of C.
extern "C" __global__ void registers1d(const float* a, const float* b, float* c, int columns, int inner) {
    constexpr int tile = 64, depth = 8, mine = 8;
    __shared__ float as[tile][depth], bs[depth][tile];
    const int t = threadIdx.x, x = t % tile, y = t / tile * mine;
    a += blockIdx.y * tile * inner;
    b += blockIdx.x * tile;
    c += blockIdx.y * tile * columns + blockIdx.x * tile;
    float sum[mine] = {};
    for (int begin = 0; begin < inner; begin += depth) {
        as[t / depth][t % depth] = a[t / depth * inner + begin + t % depth];
        bs[t / tile][x] = b[(begin + t / tile) * columns + x];
        __syncthreads();
        for (int k = 0; k < depth; ++k) {
            const float right = bs[k][x];
            for (int i = 0; i < mine; ++i)
                sum[i] += as[y + i][k] * right;
        }
        __syncthreads();
    }
    for (int i = 0; i < mine; ++i)
        c[(y + i) * columns + x] = sum[i];
}

/// Eight by eight elements a thread: sixteen reads for 64 products. 256 threads, 128 × 128 of C.
extern "C" __global__ void registers2d(const float* a, const float* b, float* c, int columns, int inner) {
    constexpr int tile = 128, depth = 8, mine = 8, threads = 256;
    __shared__ float as[tile][depth], bs[depth][tile];
    const int t = threadIdx.x, x = t % (tile / mine) * mine, y = t / (tile / mine) * mine;
    a += blockIdx.y * tile * inner;
    b += blockIdx.x * tile;
    c += blockIdx.y * tile * columns + blockIdx.x * tile;
    float sum[mine][mine] = {};
    for (int begin = 0; begin < inner; begin += depth) {
        for (int i = t; i < tile * depth; i += threads) {
            as[i / depth][i % depth] = a[i / depth * inner + begin + i % depth];
            bs[i / tile][i % tile] = b[(begin + i / tile) * columns + i % tile];
        }
        __syncthreads();
        for (int k = 0; k < depth; ++k) {
            float left[mine], right[mine];
            for (int i = 0; i < mine; ++i) {
                left[i] = as[y + i][k];
                right[i] = bs[k][x + i];
            }
            for (int i = 0; i < mine; ++i)
                for (int j = 0; j < mine; ++j)
                    sum[i][j] += left[i] * right[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < mine; ++i)
        for (int j = 0; j < mine; ++j)
            c[(y + i) * columns + x + j] = sum[i][j];
}

/// The same with four floats an access; A's tile is turned so that its columns are consecutive.
extern "C" __global__ void vectorised(const float* a, const float* b, float* c, int columns, int inner) {
    constexpr int tile = 128, depth = 8, mine = 8;
    __shared__ __align__(16) float as[depth][tile], bs[depth][tile];
    const int t = threadIdx.x, x = t % (tile / mine) * mine, y = t / (tile / mine) * mine;
    a += blockIdx.y * tile * inner;
    b += blockIdx.x * tile;
    c += blockIdx.y * tile * columns + blockIdx.x * tile;
    float sum[mine][mine] = {};
    for (int begin = 0; begin < inner; begin += depth) {
        const float4 four = *reinterpret_cast<const float4*>(a + t / 2 * inner + begin + t % 2 * 4);
        as[t % 2 * 4][t / 2] = four.x;
        as[t % 2 * 4 + 1][t / 2] = four.y;
        as[t % 2 * 4 + 2][t / 2] = four.z;
        as[t % 2 * 4 + 3][t / 2] = four.w;
        *reinterpret_cast<float4*>(&bs[t / 32][t % 32 * 4]) =
            *reinterpret_cast<const float4*>(b + (begin + t / 32) * columns + t % 32 * 4);
        __syncthreads();
        for (int k = 0; k < depth; ++k) {
            float left[mine], right[mine];
            for (int i = 0; i < mine; i += 4) {
                *reinterpret_cast<float4*>(left + i) = *reinterpret_cast<const float4*>(&as[k][y + i]);
                *reinterpret_cast<float4*>(right + i) = *reinterpret_cast<const float4*>(&bs[k][x + i]);
            }
            for (int i = 0; i < mine; ++i)
                for (int j = 0; j < mine; ++j)
                    sum[i][j] += left[i] * right[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < mine; ++i)
        for (int j = 0; j < mine; j += 4)
            *reinterpret_cast<float4*>(c + (y + i) * columns + x + j) =
                make_float4(sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]);
}
