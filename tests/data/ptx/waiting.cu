// Kernels whose threads wait for each other, in the ways that people write it, and some whose wait nothing can end.
// nvcc -std=c++17 -arch=sm_80 -ptx waiting.cu
#include <cuda/atomic>
#include <cuda/barrier>

using Flag = cuda::atomic_ref<int, cuda::thread_scope_device>;
using BlockFlag = cuda::atomic_ref<int, cuda::thread_scope_block>;

// ---- 20 phases of 1,024 threads

extern "C" __global__ void barrierObjects(float* y) {
    __shared__ cuda::barrier<cuda::thread_scope_block> b;
    if (threadIdx.x == 0)
        init(&b, blockDim.x);
    __syncthreads();
    for (int i = 0; i < 20; i++)
        b.arrive_and_wait();
    y[threadIdx.x] = 1;
}
extern "C" __global__ void plainBarriers(float* y) {
    for (int i = 0; i < 20; i++)
        __syncthreads();
    y[threadIdx.x] = 1;
}

// ---- the last warp works, all others wait for its flag; y[t] = 42

__device__ int work(int rounds) {
    unsigned x = threadIdx.x + 1;
    for (int i = 0; i < rounds; ++i)
        x = x * 1664525u + 1013904223u;
    return x == 0 ? 0 : 42;
}
__device__ bool lastWarp() { return threadIdx.x / 32 == blockDim.x / 32 - 1; }

extern "C" __global__ void volatileShared(int* y, int rounds) {
    __shared__ volatile int flag;
    if (threadIdx.x == 0)
        flag = 0;
    __syncthreads();
    if (lastWarp()) {
        int value = work(rounds);
        if (threadIdx.x % 32 == 0)
            flag = value;
    }
    while (flag == 0)
        ;
    y[threadIdx.x] = flag;
}
extern "C" __global__ void acquireShared(int* y, int rounds) {
    __shared__ int flag;
    if (threadIdx.x == 0)
        flag = 0;
    __syncthreads();
    BlockFlag f(flag);
    if (lastWarp()) {
        int value = work(rounds);
        if (threadIdx.x % 32 == 0)
            f.store(value, cuda::memory_order_release);
    }
    int seen;
    while ((seen = f.load(cuda::memory_order_acquire)) == 0)
        ;
    y[threadIdx.x] = seen;
}
extern "C" __global__ void waitShared(int* y, int rounds) { // cuda::atomic's own wait
    __shared__ int flag;
    if (threadIdx.x == 0)
        flag = 0;
    __syncthreads();
    BlockFlag f(flag);
    if (lastWarp()) {
        int value = work(rounds);
        if (threadIdx.x % 32 == 0) {
            f.store(value, cuda::memory_order_release);
            f.notify_all();
        }
    }
    f.wait(0, cuda::memory_order_acquire);
    y[threadIdx.x] = f.load(cuda::memory_order_relaxed);
}
extern "C" __global__ void polledAtomic(int* flag, int* y, int rounds) { // flag is 0 before
    if (lastWarp()) {
        int value = work(rounds);
        if (threadIdx.x % 32 == 0)
            atomicExch(flag, value);
    }
    while (atomicAdd(flag, 0) == 0)
        __nanosleep(100);
    y[threadIdx.x] = atomicAdd(flag, 0);
}
extern "C" __global__ void cachedFlag(int* flag, int* y, int rounds) { // no volatile: ld.global.cg
    if (lastWarp()) {
        int value = work(rounds);
        if (threadIdx.x % 32 == 0)
            __stcg(flag, value);
    }
    int seen;
    do
        asm volatile("ld.global.cg.b32 %0, [%1];" : "=r"(seen) : "l"(flag) : "memory");
    while (seen == 0);
    y[threadIdx.x] = seen;
}
extern "C" __global__ void countedSpin(volatile int* flag, int* y,
                                       int rounds) { // the passes are counted: state changes
    if (lastWarp()) {
        int value = work(rounds);
        if (threadIdx.x % 32 == 0)
            *flag = value;
    }
    int passes = 0;
    while (*flag == 0)
        ++passes;
    y[threadIdx.x] = passes >= 0 ? *flag : passes;
}
extern "C" __global__ void severalFlags(volatile int* flags, int* y, int rounds) { // of eight, each set by a lane
    if (lastWarp()) {
        int value = work(rounds);
        if (threadIdx.x % 32 < 8)
            flags[threadIdx.x % 32] = value;
    }
    for (bool all = false; !all;) {
        all = true;
#pragma unroll 1
        for (int i = 0; i < 8; ++i)
            all = all && flags[i] != 0;
    }
    y[threadIdx.x] = flags[7];
}

// ---- locks

/// The first thread of each block adds to a sum; CUDA's programming guide backs off like this.
extern "C" __global__ void lockOfBlocks(int* lock, int* sum, int* y) {
    if (threadIdx.x == 0) {
        unsigned pause = 8;
        while (atomicCAS(lock, 0, 1) == 1) {
            __nanosleep(pause);
            if (pause < 256)
                pause *= 2;
        }
        __threadfence();
        *(volatile int*)sum = *(volatile int*)sum + 1;
        __threadfence();
        atomicExch(lock, 0);
    }
    y[blockIdx.x * blockDim.x + threadIdx.x] = 42;
}
/// Each lane of a warp takes the lock: lanes that have it must get ahead of those that wait.
extern "C" __global__ void lockOfLanes(int* lock, volatile int* sum) {
    while (atomicCAS(lock, 0, 1) != 0)
        ;
    *sum = *sum + 1;
    __threadfence();
    atomicExch(lock, 0);
}

// ---- blocks that wait for others

extern "C" __global__ void waitForLaterBlock(int* flags, int* y) { // block b waits for b + 1
    if (threadIdx.x == 0) {
        if (blockIdx.x + 1 < gridDim.x)
            while (atomicAdd(flags + blockIdx.x + 1, 0) == 0)
                ;
        atomicExch(flags + blockIdx.x, 1);
    }
    __syncthreads();
    y[blockIdx.x * blockDim.x + threadIdx.x] = 42;
}
extern "C" __global__ void acquireLaterBlock(int* flags, int* y) {
    if (threadIdx.x == 0) {
        if (blockIdx.x + 1 < gridDim.x) {
            Flag next(flags[blockIdx.x + 1]);
            while (next.load(cuda::memory_order_acquire) == 0)
                ;
        }
        Flag(flags[blockIdx.x]).store(1, cuda::memory_order_release);
    }
    __syncthreads();
    y[blockIdx.x * blockDim.x + threadIdx.x] = 42;
}
/// All threads of the block wait together, as CUTLASS's semaphore does.
extern "C" __global__ void semaphore(int* turn, int* y) { // the last block first
    int want = gridDim.x - 1 - blockIdx.x, state = -1;
    while (__syncthreads_and(state != want))
        if (threadIdx.x == 0)
            asm volatile("ld.global.acquire.gpu.b32 %0, [%1];" : "=r"(state) : "l"(turn));
    y[blockIdx.x * blockDim.x + threadIdx.x] = 42;
    __syncthreads();
    if (threadIdx.x == 0)
        asm volatile("st.global.release.gpu.b32 [%0], %1;" ::"l"(turn), "r"(want + 1));
}

// ---- waits that something else ends: y[0] = 1

extern "C" __global__ void timeout(volatile int* flag, int* y) {
    long long begin = clock64();
    while (*flag == 0 && clock64() - begin < 1000000)
        ;
    y[threadIdx.x] = *flag == 0;
}
extern "C" __global__ void limitedPasses(volatile int* flag, int* y) { // a loop of so many reads, all counted
    int found = 0;
    for (int i = 0; i < 1000; ++i)
        found += *flag;
    y[threadIdx.x] = found + 1;
}

// ---- waits that nothing can end

extern "C" __global__ void flagNobodySets(volatile int* flag, int* y) {
    while (*flag == 0)
        ;
    y[threadIdx.x] = 1;
}
extern "C" __global__ void sharedFlagNobodySets(int* y) {
    __shared__ volatile int flag;
    if (threadIdx.x == 0)
        flag = 0;
    __syncthreads();
    if (threadIdx.x >= 32)
        while (flag == 0)
            ;
    y[threadIdx.x] = 1;
}
extern "C" __global__ void countedForever(volatile int* flag, int* y) {
    int passes = 0;
    while (*flag == 0)
        ++passes;
    y[threadIdx.x] = passes;
}
extern "C" __global__ void missingArrival(float* y) { // one thread too few arrives
    __shared__ cuda::barrier<cuda::thread_scope_block> b;
    if (threadIdx.x == 0)
        init(&b, blockDim.x + 1);
    __syncthreads();
    b.arrive_and_wait();
    y[threadIdx.x] = 1;
}
extern "C" __global__ void lockTakenTwice(int* lock, int* y) {
    if (threadIdx.x == 0)
        for (int i = 0; i < 2; ++i)
            while (atomicCAS(lock, 0, 1) != 0)
                ;
    y[threadIdx.x] = 1;
}
extern "C" __global__ void semaphoreNobodySets(int* turn, int* y) {
    int state = -1;
    while (__syncthreads_and(state != 1))
        if (threadIdx.x == 0)
            asm volatile("ld.global.acquire.gpu.b32 %0, [%1];" : "=r"(state) : "l"(turn));
    y[threadIdx.x] = 1;
}
extern "C" __global__ void endless(int* y) {
    while (true)
        asm volatile("" ::: "memory");
}
