// Kernels whose waits end only if others get their turn: other blocks, other warps, other lanes of the same warp; and
// waits by number of passes or by the clock.
// nvcc -std=c++17 -arch=sm_80 -ptx turns.cu
#include <cuda_pipeline.h>

// ---- the first of two blocks waits for the second, in loops that never repeat themselves

__device__ void tellFirst(volatile int* flags) {
    __syncthreads();
    if (threadIdx.x == 0)
        flags[3] = 1;
}
extern "C" __global__ void laterBetweenBarriers(volatile int* flags, int* y) {
    __shared__ int seen;
    if (blockIdx.x == 0) {
        do {
            if (threadIdx.x == 0)
                seen = flags[3];
            __syncthreads();
            const int all = seen;
            __syncthreads();
            if (all)
                break;
        } while (true);
    } else {
        tellFirst(flags);
    }
    y[blockIdx.x * blockDim.x + threadIdx.x] = 42;
}
extern "C" __global__ void laterRotating(volatile int* flags, int* y) {
    if (blockIdx.x == 0) {
        for (int i = 0; !flags[i]; i = (i + 1) & 7)
            ;
    } else {
        tellFirst(flags);
    }
    y[blockIdx.x * blockDim.x + threadIdx.x] = 42;
}
extern "C" __global__ void laterScanning(volatile int* flags, int* y) { // flags has blocks · threads numbers
    const int count = gridDim.x * blockDim.x;
    if (blockIdx.x == 0) {
        for (int found = 0; !found;)
            for (int i = 0; i < count; i++)
                found |= flags[i];
    } else {
        tellFirst(flags);
    }
    y[blockIdx.x * blockDim.x + threadIdx.x] = 42;
}
extern "C" __global__ void laterCountedInMemory(volatile int* flags, int* y) {
    __shared__ int polls;
    if (threadIdx.x == 0)
        polls = 0;
    __syncthreads();
    if (blockIdx.x == 0) {
        while (!flags[3])
            if (threadIdx.x == 0)
                ++*(volatile int*)&polls;
    } else {
        tellFirst(flags);
    }
    y[blockIdx.x * blockDim.x + threadIdx.x] = 42;
}

// ---- warps wait for the last one

extern "C" __global__ void rotatingFlags(int* y, int rounds) {
    __shared__ volatile int flags[8];
    if (threadIdx.x < 8)
        flags[threadIdx.x] = 0;
    __syncthreads();
    if (threadIdx.x >= blockDim.x - 32) {
        int work = threadIdx.x;
        for (int i = 0; i < rounds; i++)
            work = work * 1664525 + 1013904223;
        flags[5] = work | 1;
    } else {
        for (int i = 0; !flags[i]; i = (i + 1) & 7)
            ;
    }
    y[threadIdx.x] = 42;
}
extern "C" __global__ void rotatingNever(volatile int* flags, int* y) {
    for (int i = 0; !flags[i]; i = (i + 1) & 7)
        ;
    y[threadIdx.x] = 42;
}
extern "C" __global__ void scanningNever(volatile int* flags, int* y) {
    for (int found = 0, start = 0; !found; start = (start + 1) % 1000)
        for (int i = 0; i < 4; i++)
            found |= flags[(start + i) % 64];
    y[threadIdx.x] = 42;
}

// ---- waits that end by themselves

extern "C" __global__ void timeoutOfEachWarp(int* y, int passes) {
    __shared__ volatile int flag;
    if (threadIdx.x == 0)
        flag = 0;
    __syncthreads();
    int n = 0;
    while (!flag && n < passes)
        n++;
    y[blockIdx.x * blockDim.x + threadIdx.x] = n;
}
extern "C" __global__ void timedWaits(volatile int* flag, int* y, int waits) {
    const long long begin = clock64();
    for (int i = 0; i < waits; i++) {
        const long long since = clock64();
        while (!*flag && clock64() - since < 1000)
            ;
    }
    y[threadIdx.x] = (int)(clock64() - begin);
}

// ---- lanes of one warp

extern "C" __global__ void laneTellsLane(int* y, int passes) {
    __shared__ volatile int flag;
    if (threadIdx.x == 0)
        flag = 0;
    __syncwarp();
    if (threadIdx.x == 0) {
        int n = 0;
        while (!flag && n < passes)
            n++;
        y[0] = flag;
        y[1] = n;
    } else if (threadIdx.x == 31) {
        flag = 1;
    }
}
/// Lanes meet behind the loop and exchange a value: those that are there must not go on without the one that waits.
extern "C" __global__ void lanesMeetBehind(volatile int* flag, int* y, int passes) {
    int n = 0;
    if (threadIdx.x == 0)
        while (!*flag && n < passes)
            n++;
    y[threadIdx.x] = __shfl_sync(0xffffffff, n, 0);
}
extern "C" __global__ void threeGroups(int* y) {
    __shared__ volatile int first, second;
    if (threadIdx.x == 0)
        first = second = 0;
    __syncwarp();
    if (threadIdx.x < 16) {
        if (threadIdx.x < 8)
            while (!second)
                ;
        else {
            while (!first)
                ;
            second = 1;
        }
    } else {
        first = 1;
    }
    y[threadIdx.x] = 42;
}
__device__ void take(int* lock) {
    while (atomicCAS(lock, 0, 1) != 0)
        ;
}
/// Each thread takes two locks, always the lower one first.
extern "C" __global__ void twoLocks(int* locks, volatile int* sums) {
    const int t = blockIdx.x * blockDim.x + threadIdx.x, a = t * 7 % 8, b = (t * 5 + 1) % 8;
    if (a == b)
        return;
    int* low = locks + min(a, b);
    int* high = locks + max(a, b);
    take(low);
    take(high);
    sums[a] = sums[a] + 1;
    sums[b] = sums[b] + 1;
    __threadfence();
    atomicExch(high, 0);
    atomicExch(low, 0);
}
/// Two lanes take two locks, each another one first.
extern "C" __global__ void locksCrossed(int* locks, int* y) {
    const int lane = threadIdx.x % 32, mine = lane & 1;
    if (threadIdx.x < 32 && lane < 2) {
        take(locks + mine);
        y[lane] = 1;
        if (lane == 0) {
            while (*(volatile int*)(y + 1) == 0)
                ;
            take(locks + 1);
        } else {
            while (*(volatile int*)y == 0)
                ;
            take(locks);
        }
    }
}

// ---- what only looks like a wait

/// Blocks take turns; those who meet at the barrier must not pass it without the one that waits.
extern "C" __global__ void blocksInTurn(volatile int* turn, int* y, int rounds) {
    for (int i = 0; i < rounds; i++) {
        if (threadIdx.x == 0)
            while (*turn != blockIdx.x)
                ;
        __syncthreads();
        y[blockIdx.x * blockDim.x + threadIdx.x]++;
        __syncthreads();
        if (threadIdx.x == 0)
            *turn = (blockIdx.x + 1) % gridDim.x;
    }
}
__device__ __noinline__ int step(int x) { return x * 1664525 + 1013904223; }
/// Computes in registers for long, by calls.
extern "C" __global__ void computesInCalls(int* y, int passes) {
    int x = threadIdx.x;
    for (int i = 0; i < passes; i++)
        x = step(x);
    y[threadIdx.x] = x == 7 ? 1 : 42;
}

// ---- what the checks say

/// Two warps take turns by a flag that both write, with fences.
extern "C" __global__ void turnsByFlag(int* y, int rounds) {
    __shared__ volatile int turn;
    __shared__ int sum;
    const int warp = threadIdx.x / 32;
    if (threadIdx.x == 0)
        turn = sum = 0;
    __syncthreads();
    for (int i = 0; i < rounds; i++) {
        while (turn != warp)
            ;
        __threadfence_block();
        if (threadIdx.x % 32 == 0)
            sum = sum + 1;
        __threadfence_block();
        __syncwarp();
        if (threadIdx.x % 32 == 0)
            turn = 1 - warp;
        __syncwarp();
    }
    __syncthreads();
    y[threadIdx.x] = sum;
}
/// Adds to what a copy that nobody has waited for will overwrite.
extern "C" __global__ void addsToCopy(const int* x, int* y) {
    __shared__ int held[64];
    __pipeline_memcpy_async(held + threadIdx.x, x + threadIdx.x, 4);
    __pipeline_commit();
    y[threadIdx.x] = atomicAdd(held + threadIdx.x, 1);
    __pipeline_wait_prior(0);
}
